# SPDX-License-Identifier: Apache-2.0
"""Uses the vitro command as people and CI jobs do, and as they should not.

cli_test.py VITRO MODULE_DIR SCRATCH [options of unittest, e.g. -v -k reproduce]

MODULE_DIR has vitro_minimal.so and its sisters (devices/CMakeLists.txt). Only the standard library,
and a C compiler for the devices that misbehave: each is devices/examples/minimal.c with something
changed.
"""

import collections
import json
import os
import pathlib
import pty
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
VITRO = MODULES = SCRATCH = None  # set by main

LIMIT_S = 120  # for one command; a hang of vitro fails the test instead of hanging it
AT_ONCE_S = 10  # what needs no device must not take longer, also on a busy machine

ANSI = re.compile(r"\x1b\[[0-9;]*m")
# Faults of ref:blk, from all over the life of a device; each makes some check fail or crash.
FAULTS = [
    "reset-keeps-status", "config-read-only-writable", "used-len-exceeds-buffer",
    "used-id-wrong", "write-past-buffer", "avail-wrap-lost", "indirect-one-entry", "chain-limit-8",
    "notification-lost", "event-idx-off-by-one", "bad-address-crash", "reset-keeps-index",
]

Done = collections.namedtuple("Done", "code out err seconds")


def environment(**changes):
    env = {**os.environ, "TERM": "xterm", **changes}
    if "NO_COLOR" not in changes:
        env.pop("NO_COLOR", None)
    return env


def outcomes(run):
    return {result["id"]: result["outcome"] for result in run["results"]}


# ---- Devices that misbehave: code before vitro_device_entry(), and what it changes in `mine`.

DEVICE = """
#define vitro_device_entry minimal_entry
#include "minimal.c"
#undef vitro_device_entry
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
static vitro_device_ops mine;
%s
const vitro_device_ops* vitro_device_entry(uint32_t version) {
  mine = *minimal_entry(VITRO_ABI_VERSION);
  (void)version;
  %s
  return &mine;
}
"""
CRASH = "*(volatile int*)0 = 1;"
NOTIFY = ("static void bad(vitro_device* d, uint32_t q) { (void)d, (void)q; %s }",
          "mine.notify = bad;")


def at_notify(statement):
    return (NOTIFY[0] % statement, NOTIFY[1])


DEVICES = {
    "other_abi": ("", "mine.abi_version = VITRO_ABI_VERSION + 1;"),
    "crash_in_notify": at_notify(CRASH),
    "exit_in_notify": at_notify("exit(3);"),
    "hang_in_notify": at_notify("for (;;) pause();"),
    "spin_in_notify": at_notify("for (volatile int i = 0;; ++i) {}"),
    "crash_in_create": (
        "static int bad(const vitro_host* h, const char* o, vitro_device** d) "
        "{ (void)h, (void)o, (void)d; " + CRASH + " return 0; }", "mine.create = bad;"),
    "hang_in_create": (
        "static int bad(const vitro_host* h, const char* o, vitro_device** d) "
        "{ (void)h, (void)o, (void)d; for (;;) pause(); return 0; }", "mine.create = bad;"),
    # Looks well when probed; the file beside the library turns it bad.
    "crash_in_later_create": (
        "static int bad(const vitro_host* h, const char* o, vitro_device** d) "
        "{ struct stat s; if (stat(getenv(\"VITRO_CLI_TEST_MARK\"), &s) == 0) { " + CRASH + " } "
        "return create(h, o, d); }", "mine.create = bad;"),
    "many_queues": (
        "static void many(vitro_device* d, vitro_identity* i) "
        "{ identity(d, i); i->queue_count = 65536; }\n"
        "static uint32_t size(vitro_device* d, uint32_t q) { (void)d, (void)q; return 64; }\n"
        "static int setup(vitro_device* d, uint32_t q, const vitro_queue* s) "
        "{ return q == 0 ? queue_setup(d, q, s) : 0; }",
        "mine.identity = many; mine.queue_max_size = size; mine.queue_setup = setup;"),
    "all_queues": (
        "static void many(vitro_device* d, vitro_identity* i) "
        "{ identity(d, i); i->queue_count = 0xffffffffu; }", "mine.identity = many;"),
    "huge_config": (
        "static void huge(vitro_device* d, vitro_identity* i) "
        "{ identity(d, i); i->config_size = 0xffffffffu; }\n"
        "static int read_config(vitro_device* d, uint32_t o, void* v, uint32_t w) "
        "{ (void)d; memset(v, (int)o, w); return 0; }\n"
        "static int write_config(vitro_device* d, uint32_t o, const void* v, uint32_t w) "
        "{ (void)d, (void)o, (void)v, (void)w; return 0; }",
        "mine.identity = huge; mine.config_read = read_config; mine.config_write = write_config;"),
    "rings_elsewhere": (
        "static int elsewhere(vitro_device* d, uint32_t q, const vitro_queue* s) "
        "{ vitro_queue far = *s; far.desc_address |= UINT64_C(1) << 62; "
        "far.driver_address |= UINT64_C(1) << 62; far.device_address |= UINT64_C(1) << 62; "
        "return queue_setup(d, q, &far); }", "mine.queue_setup = elsewhere;"),
    "huge_rings": (
        "static uint32_t size(vitro_device* d, uint32_t q) { (void)d; return q == 0 ? 1u << 31 : 0; }\n"
        "static int setup(vitro_device* d, uint32_t q, const vitro_queue* s) "
        "{ (void)q; if (s->queue_size == 0) return -1; d->queue = *s; return 0; }",
        "mine.queue_max_size = size; mine.queue_setup = setup;"),
    "chatty": at_notify("for (int i = 0; i < 20000; ++i) d->host->log(d->host->context, \"noise\");"
                        "fprintf(stderr, \"\\x1b[31mred\\xff\\n\");"),
}


def library(name):
    """The path of a device that misbehaves, compiled at its first use."""
    path = SCRATCH / f"{name}.so"
    if not path.exists():
        source = SCRATCH / f"{name}.c"
        source.write_text("#include <stdio.h>\n" + DEVICE % DEVICES[name])
        subprocess.run(
            [os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-w", "-I",
             ROOT / "devices/abi", "-I", ROOT / "devices/examples", source, "-o", path], check=True)
    return path


class CliTest(unittest.TestCase):

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))
        self.out = self.dir / "out"

    def tearDown(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    # ---- running the command

    def start(self, *arguments, **changes):
        return subprocess.Popen(
            [VITRO, *map(str, arguments)], cwd=self.dir, env=environment(**changes),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            errors="replace")

    def vitro(self, *arguments, **changes):
        begin = time.monotonic()
        process = self.start(*arguments, **changes)
        try:
            out, err = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            self.fail(f"vitro {shlex.join(map(str, arguments))} did not end")
        return Done(process.returncode, out, err, time.monotonic() - begin)

    def run_device(self, attach, *arguments, code=None, **changes):
        """Runs checks on a device, into self.out; the record, which must be whole."""
        done = self.vitro("run", attach, "--out", self.out, *arguments, **changes)
        self.assertEqual(done.err, "", attach)
        run = self.whole_record()
        self.assertEqual(run["totals"]["exit_code"], done.code)
        if code is not None:
            self.assertEqual(done.code, code, done.out)
        return run

    def lines(self):
        with open(self.out / "run.jsonl", encoding="utf-8") as stream:
            return [json.loads(line) for line in stream]

    def whole_record(self):
        lines = self.lines()
        self.assertEqual([lines[0]["kind"], lines[-1]["kind"]], ["begin", "end"])
        results = [line for line in lines if line["kind"] == "result"]
        self.assertEqual(len(results), lines[0]["planned"])
        self.assertEqual(len({result["id"] for result in results}), len(results))
        run = json.loads((self.out / "run.json").read_text())
        self.assertEqual(len(run["results"]), len(results))
        return run

    def refused(self, code, expected, *arguments):
        """The command says in one sentence what was expected, at once."""
        with self.subTest(arguments=shlex.join(map(str, arguments))):
            done = self.vitro(*arguments)
            self.assertEqual(done.code, code, done)
            self.assertEqual(done.out, "")
            self.assertRegex(done.err, r"\Avitro: [^\n]+\n\Z")
            self.assertRegex(done.err, expected)
            self.assertLess(done.seconds, AT_ONCE_S)

    def wait_for(self, what, condition):
        end = time.monotonic() + LIMIT_S
        while not condition():
            self.assertLess(time.monotonic(), end, f"waited in vain for {what}")
            time.sleep(0.02)

    def results_streamed(self):
        stream = self.out / "run.jsonl"
        return stream.exists() and stream.read_text().count('"kind":"result"') >= 2

    def children(self, pid):
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                text = entry.read_text()
            except OSError:
                continue
            if int(text.rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.parent.name))
        return found


class ExitCodes(CliTest):

    def test_conformant_is_0(self):
        run = self.run_device("ref:entropy", code=0)
        self.assertEqual(run["totals"]["verdict"], "conformant")

    def test_not_conformant_is_1(self):
        self.run_device("ref:entropy,fault=write-past-buffer", code=1)

    def test_nothing_ran_is_3(self):
        run = self.run_device("ref:entropy", "blk", code=3)
        self.assertEqual(set(outcomes(run).values()), {"not-applicable"})

    def test_no_device_is_4(self):
        self.refused(4, "nowhere.so", "run", "inproc:./nowhere.so", "--out", self.out)
        self.assertFalse((self.out / "run.jsonl").exists())

    def test_harness_error_is_5(self):
        (self.out / "report.html" / "in-the-way").mkdir(parents=True)
        done = self.vitro("run", "ref:entropy", "reset", "--out", self.out)
        self.assertEqual(done.code, 5, done)
        self.assertRegex(done.err, r"\Avitro: cannot replace [^\n]*report\.html[^\n]*\n\Z")
        self.whole_record()  # the record is there all the same

    def test_warnings_fail_only_when_strict(self):
        run = self.run_device("ref:blk,fault=used-len-zero", "used", code=0)
        self.assertIn("warn", outcomes(run).values())
        self.run_device("ref:blk,fault=used-len-zero", "used", "--strict", code=1)

    def test_help_and_version_are_0(self):
        for arguments in (["--help"], ["run", "--help"], ["--version"]):
            done = self.vitro(*arguments)
            self.assertEqual((done.code, done.err), (0, ""))
            self.assertIn("vitro", done.out)


class Refusals(CliTest):

    def test_attach_strings(self):
        kinds = r"expected ref:NAME.* inproc:PATH\.so.*, vhost-user:PATH.* or qemu:DEVICE"
        self.refused(2, kinds, "run", "blk")
        self.refused(2, kinds, "run", "")
        self.refused(2, kinds, "run", "pigeon:/dev/null")
        self.refused(2, "name is missing", "run", "ref:")
        self.refused(2, "path is missing", "run", "inproc:")
        self.refused(2, "device is missing", "run", "qemu:")
        self.refused(2, "no reference device 'floppy'; there are: .*blk", "run", "ref:floppy")
        self.refused(2, "'speed' is not key=value", "run", "ref:blk,speed")
        self.refused(2, "quote is not closed", "run", 'vhost-user:/x,spawn="a b')
        self.refused(2, "given twice", "run", "ref:blk,ro=1,ro=0")
        # What a device makes of its options only the device can tell.
        self.refused(4, "no fault 'never-heard-of'", "run", "ref:blk,fault=never-heard-of")
        self.refused(4, "no option 'colour'", "run", "ref:blk,colour=red")
        self.refused(2, kinds, "probe", "pigeon:x")

    def test_command_lines(self):
        self.refused(2, "'paint' is not a command: expected one of .*run", "paint")
        self.refused(2, "expected one of .*run")
        self.refused(2, "ATTACH", "run")
        self.refused(2, "--colour", "run", "ref:blk", "--colour", "red")
        self.refused(2, "--seed", "run", "ref:blk", "--seed", "lucky")
        self.refused(2, "--jobs", "run", "ref:blk", "--jobs", "0")
        self.refused(2, "--timeout", "run", "ref:blk", "--timeout", "1")
        self.refused(2, "--report.*html", "run", "ref:blk", "--report", "pdf")
        self.refused(2, "--report.*html", "run", "ref:blk", "--report", "html,pdf")
        self.refused(2, "checks, *requirements|requirements", "list", "wishes")

    def test_selections(self):
        self.refused(2, "'nonsense' matches no check: expected", "run", "ref:blk", "nonsense")
        self.refused(2, "'tag:nonsense' matches no check", "run", "ref:blk", "tag:nonsense")
        self.refused(2, "'nonsense' matches no check", "run", "ref:blk", "--exclude", "nonsense")
        self.refused(2, "excluded", "run", "ref:blk", "reset", "--exclude", "reset")
        self.refused(2, "nosuchfile: No such file", "run", "ref:blk", "--list-file", "nosuchfile")
        self.refused(2, "neither run.jsonl nor run.json|No such", "run", "ref:blk",
                     "--rerun-failed", "--out", self.dir)
        self.refused(2, "'nonsense' matches no", "list", "requirements", "nonsense")
        self.refused(2, "'nonsense' matches no", "list", "checks", "nonsense")
        self.refused(2, "'nonsense' matches no", "list", "faults", "nonsense")

    def test_libraries(self):
        self.refused(4, r"No such file.*expected a shared library", "run", "inproc:./nowhere.so")
        (self.dir / "text.so").write_text("not a library\n")
        self.refused(4, "cannot be loaded", "run", "inproc:text.so")
        self.refused(4, "cannot be loaded", "run", f"inproc:{self.dir}")
        source = self.dir / "plain.c"
        source.write_text("int answer(void) { return 42; }\n")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", source, "-o",
                        self.dir / "plain.so"], check=True)
        self.refused(4, r"exports no vitro_device_entry\(\)", "run", "inproc:plain.so")
        self.refused(4, "ABI version 2.*1", "run", f"inproc:{library('other_abi')}")
        self.refused(4, "has no options", "run", f"inproc:{MODULES}/vitro_minimal.so,speed=9")

    def test_sockets(self):
        path = self.dir / "socket"
        self.refused(4, "No such file", "run", f"vhost-user:{path}")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
        self.refused(4, "[Cc]onnection refused|nobody listens", "run", f"vhost-user:{path},type=blk")
        path.unlink()
        path.write_text("a regular file\n")
        self.refused(4, "not a socket", "run", f"vhost-user:{path},type=blk")
        self.refused(4, "exit|ended", "run", 'vhost-user:blk,type=blk,spawn="false {path}"')
        self.refused(4, "nosuchprogram", "run",
                     'vhost-user:blk,type=blk,spawn="nosuchprogram {path}"')
        self.refused(2, "floppy is neither a device type", "run", f"vhost-user:{path},type=floppy")

    def test_outputs(self):
        (self.dir / "file").write_text("in the way\n")
        self.refused(2, "--out file.*expected a directory", "run", "ref:blk", "--out", "file")
        self.refused(2, "--out file/deep.*expected a directory", "run", "ref:blk", "--out",
                     "file/deep")
        self.refused(2, "--out /proc/vitro.*expected a directory", "run", "ref:blk", "--out",
                     "/proc/vitro")

    def test_reports_of_nothing(self):
        self.refused(2, "No such file|nosuchrun", "report", "nosuchrun")
        (self.dir / "run.jsonl").write_text("not JSON\n")
        self.refused(2, "run.jsonl", "report", "run.jsonl")
        (self.dir / "empty").write_text("")
        self.refused(2, "empty", "report", "empty")

    def test_programs(self):
        def program(text):
            (self.dir / "p.vitro").write_text(text)
            return "replay", "p.vitro", "ref:blk"

        self.refused(2, "nosuchprogram: No such file", "replay", "nosuchprogram", "ref:blk")
        self.refused(2, "p.vitro: .*line 1.*vitro-program 1", *program("hello\n"))
        self.refused(2, "p.vitro: .*expected 'vitro-program 1'", *program(""))
        self.refused(2, "p.vitro: .*line 4.*sing-a-song",
                     *program("vitro-program 1\nseed 1\nreset\nsing-a-song loud=1\n"))
        self.refused(2, "p.vitro: .*line 2.*colour",
                     *program("vitro-program 1\nwrite-status colour=1\n"))
        self.refused(2, "p.vitro: .*line 2.*status",
                     *program("vitro-program 1\nwrite-status status=0x100\n"))
        program("vitro-program 1\nreset\n")
        self.refused(2, "expected ref:NAME", "replay", "p.vitro", "pigeon:x")


class Serving(CliTest):
    """`vitro serve`, and the example that serves itself."""

    def setUp(self):
        super().setUp()
        self.servers = []
        self.name = f"/vitro-cli-test-{os.getpid()}-{self.id().rpartition('.')[2]}"

    def tearDown(self):
        for server in self.servers:
            server.kill()
            server.communicate()
        pathlib.Path(f"/dev/shm{self.name}").unlink(missing_ok=True)
        super().tearDown()

    def serve(self, device, on, *options):
        server = self.start("serve", device, "--on", on, *options)
        self.servers.append(server)
        self.assertEqual(server.stdout.readline(), f"serving {device} on {on}; Ctrl-C ends it\n")
        return server

    def example(self, *options):
        server = subprocess.Popen([f"{MODULES}/vitro_minimal_shm", self.name, *options])
        self.servers.append(server)
        self.wait_for("the shared memory", lambda: os.path.exists(f"/dev/shm{self.name}"))
        return server

    def ended(self, server, how=signal.SIGINT):
        server.send_signal(how)
        out, err = server.communicate(timeout=LIMIT_S)
        self.assertEqual((server.returncode, out, err), (0, "", ""))

    def test_one_server_serves_many(self):
        server = self.serve("ref:entropy", f"shm:{self.name}")
        expected = outcomes(self.run_device("ref:entropy", code=0))
        self.assertEqual(outcomes(self.run_device(f"shm:{self.name}", code=0)), expected)
        self.run_device(f"shm:{self.name}", "reset", code=0)
        self.ended(server)
        self.assertFalse(os.path.exists(f"/dev/shm{self.name}"))

    def test_each_level_in_shared_memory(self):
        for level in ("pci", "mmio"):
            device = f"ref:entropy,level={level}"
            expected = outcomes(self.run_device(device, "tag:entropy", "features", code=0))
            run = self.run_device(
                f"""shm:any,spawn="{VITRO} serve {device} --on shm:{{name}} --once\"""",
                "tag:entropy", "features", code=0)
            self.assertEqual(outcomes(run), expected)
            self.assertEqual(run["device"]["level"], level)

    def test_faults_show(self):
        server = self.serve("ref:blk,fault=write-past-buffer", f"shm:{self.name}")
        self.run_device(f"shm:{self.name}", "descriptor", code=1)
        self.ended(server, signal.SIGTERM)
        path = self.dir / "socket"
        server = self.serve("ref:blk,fault=write-past-buffer", f"vhost-user:{path}")
        self.run_device(f"vhost-user:{path},type=blk,queue-size=128", "descriptor", code=1)
        self.ended(server)
        self.assertFalse(path.exists())

    def test_a_crash_is_the_devices(self):
        run = self.run_device(
            f"""shm:any,spawn="{VITRO} serve ref:blk,fault=bad-address-crash --on shm:{{name}}\"""",
            "hostile", code=1)
        self.assertIn("crash", outcomes(run).values())

    def test_a_device_that_died_is_no_device(self):
        server = self.serve("ref:entropy", f"shm:{self.name}")
        server.kill()
        server.wait()
        self.refused(4, "its device, process .*, has ended", "run", f"shm:{self.name}")
        self.ended(self.serve("ref:entropy", f"shm:{self.name}"))  # its name is free

    def test_once_ends_after_the_first(self):
        server = self.serve("ref:entropy", f"shm:{self.name}", "--once")
        self.assertEqual(self.vitro("probe", f"shm:{self.name}").code, 0)
        self.assertEqual(server.wait(LIMIT_S), 0)

    def test_the_example(self):
        server = self.example()
        expected = outcomes(self.run_device(f"inproc:{MODULES}/vitro_minimal.so", code=0))
        self.assertEqual(outcomes(self.run_device(f"shm:{self.name}", code=0)), expected)
        server.terminate()
        self.assertEqual(server.wait(LIMIT_S), 0)

    def test_the_example_working_on_its_own(self):
        self.example("polling")
        self.run_device(f"shm:{self.name}", "reset", "used", code=0)

    def test_refusals(self):
        self.refused(4, "there is none; its device creates it", "run", "shm:/nowhere")
        self.refused(2, "not the name of shared memory", "run", "shm:a/b")
        self.refused(2, "no option 'colour'", "run", "shm:x,colour=red")
        self.refused(2, "timeout=x is not a number", "run", "shm:x,timeout=x")
        self.refused(4, "exited with code 1 before there was", "run", 'shm:x,spawn="false {name}"')
        self.refused(2, "is no device in a library", "serve", "qemu:x", "--on", "shm:/x")
        self.refused(2, "expected shm:NAME or vhost-user:PATH", "serve", "ref:blk", "--on", "ref:x")
        self.refused(2, "level core only, not pci", "serve", "ref:blk,level=pci", "--on",
                     f"vhost-user:{self.dir}/socket")
        self.refused(2, "--polling is for shm", "serve", "ref:blk", "--polling", "--on",
                     f"vhost-user:{self.dir}/socket")
        self.refused(2, "has no option 'size'", "serve", "ref:blk", "--on", "shm:/x,size=1")
        self.refused(2, "the driver's choice", "serve", "ref:blk,level=pci,interrupts=intx", "--on",
                     "shm:/x")
        self.refused(4, "no fault 'never-heard-of'", "serve", "ref:blk,fault=never-heard-of",
                     "--on", f"vhost-user:{self.dir}/socket")
        self.serve("ref:entropy", f"shm:{self.name}")
        self.refused(4, "serves it already", "serve", "ref:entropy", "--on", f"shm:{self.name}")


class BadDevices(CliTest):
    """Whatever a device does, the run ends, says so, and its record is whole."""

    def test_it_ends_within_its_calls(self):
        for name, outcome, how in (("crash_in_notify", "crash", "signal 11"),
                                   ("exit_in_notify", "crash", "exited with code 3"),
                                   ("hang_in_notify", "hang", "no answer within"),
                                   ("spin_in_notify", "hang", "no answer within")):
            with self.subTest(name):
                run = self.run_device(f"inproc:{library(name)}", "status", "framing",
                                      "--timeout", "400", code=1)
                struck = [r for r in run["results"] if r["outcome"] == outcome]
                self.assertTrue(struck, outcomes(run))
                for result in struck:
                    self.assertIn(how, result["because"])
                    self.assertIn("notify", result["because"])
                # What does not notify is not struck.
                self.assertIn("pass", outcomes(run).values())

    def test_it_cannot_be_created(self):
        for name, how in (("crash_in_create", "signal 11"), ("hang_in_create", "in time")):
            with self.subTest(name):
                done = self.vitro("run", f"inproc:{library(name)}", "--timeout", "500", "--out",
                                  self.out)
                self.assertEqual(done.code, 4)
                self.assertRegex(done.err, rf"\Avitro: [^\n]*{how}[^\n]*\n\Z")

    def test_it_can_be_created_only_at_first(self):
        mark = self.dir / "mark"
        attach = f"inproc:{library('crash_in_later_create')}"
        process = self.start("run", attach, "--out", self.out, "--jobs", "1",
                             VITRO_CLI_TEST_MARK=str(mark))
        self.wait_for("the first results", self.results_streamed)
        mark.touch()
        process.communicate(timeout=LIMIT_S)
        self.assertIn(process.returncode, (0, 1))
        results = self.whole_record()["results"]
        crashed = [r for r in results if r["outcome"] == "crash"]
        if process.returncode == 1:  # it may have been through before the mark was there
            self.assertTrue(crashed)
            self.assertIn("attaching", crashed[-1]["because"])

    def test_it_claims_too_much(self):
        for name in ("many_queues", "all_queues", "huge_config", "huge_rings", "rings_elsewhere"):
            with self.subTest(name):
                begin = time.monotonic()
                run = self.run_device(f"inproc:{library(name)}", "--timeout", "1500", "--response",
                                      "100")
                self.assertLess(time.monotonic() - begin, LIMIT_S)
                self.assertEqual([(r["id"], r["because"]) for r in run["results"]
                                  if r["outcome"] == "harness-error"], [])

    def test_it_talks_a_lot(self):
        run = self.run_device(f"inproc:{library('chatty')}", "reset", "--response", "100")
        for result in run["results"]:
            self.assertLess(len(result["evidence"]["device_stderr"]), 1 << 20)
        self.assertNotIn("\x1b", self.vitro("report", self.out).out)


class Interruptions(CliTest):

    def hanging(self, *arguments):
        process = self.start("run", f"inproc:{library('hang_in_notify')}", "--out", self.out,
                             "--timeout", "1000", *arguments)
        self.wait_for("the first results", self.results_streamed)
        return process

    def test_interrupt(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                shutil.rmtree(self.out, ignore_errors=True)
                process = self.hanging()
                children = self.children(process.pid)
                process.send_signal(number)
                out, err = process.communicate(timeout=LIMIT_S)
                self.assertEqual((process.returncode, err), (130, ""))
                self.assertIn("interrupted", out)
                run = json.loads((self.out / "run.json").read_text())
                self.assertTrue(run["invocation"]["interrupted"])
                self.assertLess(len(run["results"]), run["totals"]["planned"])
                self.assertIn("</html>", (self.out / "report.html").read_text())
                self.assertEqual(self.vitro("report", self.out).code, 130)
                self.wait_for("the end of the children",
                              lambda: not any(os.path.exists(f"/proc/{c}") for c in children))

    def test_kill(self):
        process = self.hanging()
        children = self.children(process.pid)
        process.kill()
        process.communicate(timeout=LIMIT_S)
        done = self.vitro("report", self.out, "--out", self.dir / "again")
        self.assertEqual((done.code, done.err), (130, ""))
        run = json.loads((self.dir / "again/run.json").read_text())
        self.assertGreaterEqual(len(run["results"]), 2)
        self.wait_for("the end of the children",
                      lambda: not any(os.path.exists(f"/proc/{c}") for c in children))

    def test_torn_last_line(self):
        self.run_device("ref:entropy", "reset")
        stream = self.out / "run.jsonl"
        text = stream.read_bytes()
        stream.write_bytes(text[:-len(text.splitlines()[-1]) // 2])
        done = self.vitro("report", self.out)
        self.assertEqual((done.code, done.err), (130, ""))
        self.assertIn("note:", done.out)


class Matrix(CliTest):
    """Several devices at once."""

    DEVICES = ("ref:blk,fault=reset-keeps-status", "ref:entropy", "inproc:./nowhere.so",
               "ref:entropy,fault=write-past-buffer")

    def matrix(self, *arguments):
        done = self.vitro("matrix", *self.DEVICES, "--select", "reset,used", "--out", self.out,
                          *arguments)
        self.assertEqual((done.code, done.err), (1, ""))
        return done.out

    def test_the_same_with_one_at_a_time_and_with_all(self):
        texts, pages = [], []
        for at_once in (1, 4):
            text = self.matrix("--devices", at_once)
            begin, _, end = text.partition("\n\n")
            self.assertEqual(len(begin.splitlines()), len(self.DEVICES))
            texts.append(end)
            pages.append((self.out / "matrix.html").read_text())
        self.assertEqual(texts[0], texts[1])
        self.assertEqual(pages[0], pages[1])
        places = [pages[0].index(f"<code>{device}</code>") for device in self.DEVICES]
        self.assertEqual(places, sorted(places))
        self.assertIn("nowhere.so", text)

    def test_interrupt_keeps_what_was_found(self):
        hangs = f"inproc:{library('hang_in_notify')}"
        process = self.start("matrix", hangs, "ref:entropy", hangs, "ref:blk", "--devices", "2",
                             "--timeout", "1000", "--out", self.out)
        self.wait_for("the second device", lambda: list(self.out.glob("02-*/run.json")))
        for number in (1, 3):
            self.wait_for("results of the others", lambda: any(
                '"kind":"result"' in path.read_text()
                for path in self.out.glob(f"{number:02}-*/run.jsonl")))
        children = self.children(process.pid)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT_S)
        self.assertEqual((process.returncode, err), (130, ""))
        self.assertFalse(any(os.path.exists(f"/proc/{child}") for child in children))
        self.assertNotIn("ref:blk", out)
        self.assertIn("ref:entropy", out)
        page = (self.out / "matrix.html").read_text()
        self.assertIn("3 devices side by side", page)
        for number in (1, 3):
            (record,) = self.out.glob(f"{number:02}-*/run.json")
            self.assertTrue(json.loads(record.read_text())["invocation"]["interrupted"])


class Selections(CliTest):

    def ids(self, *arguments):
        return set(outcomes(self.run_device("ref:blk", *arguments)))

    def test_include_and_exclude(self):
        every = {c["id"] for c in json.loads(self.vitro("list", "checks", "--json").out)}
        resets = {i for i in every if i.startswith("reset.")}
        self.assertTrue(resets)
        self.assertEqual(self.ids("reset"), resets)
        one = sorted(resets)[0]
        self.assertEqual(self.ids(one), {one})
        self.assertEqual(self.ids("reset", "--exclude", one), resets - {one})

    def test_tags(self):
        tagged = {c["id"] for c in json.loads(self.vitro("list", "checks", "--json").out)
                  if "hostile" in c["tags"] and c["level"] == "core" and "packed" not in c["tags"]}
        self.assertTrue(tagged)
        self.assertEqual(self.ids("tag:hostile"), tagged)

    def test_requirement_ids(self):
        checks = json.loads(self.vitro("list", "checks", "--json").out)
        requirement = checks[0]["requirements"][0]
        self.assertEqual(self.ids(requirement),
                         {c["id"] for c in checks if any(
                             r == requirement or r.startswith(requirement + ".")
                             for r in c["requirements"])})

    def test_list_file(self):
        resets = sorted(self.ids("reset"))
        (self.dir / "list").write_text(
            f"# what matters\n\n  reset  # all of it\n-{resets[0]}\r\n")
        self.assertEqual(self.ids("--list-file", self.dir / "list"), set(resets[1:]))

    def test_rerun_failed(self):
        attach = "ref:blk,fault=write-past-buffer"
        failed = {i for i, outcome in outcomes(self.run_device(attach, code=1)).items()
                  if outcome in ("fail", "crash", "hang", "device-lost")}
        self.assertEqual(set(outcomes(self.run_device(attach, "--rerun-failed", code=1))), failed)
        self.assertEqual(self.ids("--rerun-failed"), failed)  # repaired
        self.refused(2, "nothing failed", "run", "ref:blk", "--rerun-failed", "--out", self.out)


class Records(CliTest):

    def test_same_seed_same_record(self):
        def record(seed):
            run = self.run_device("ref:blk,fault=event-idx-off-by-one", "--seed", seed)
            for result in run["results"]:
                del result["duration_us"]
            return run

        first, again, other = record("7"), record("7"), record("8")
        for part in ("device", "results", "coverage", "totals"):
            for run in (first, again):
                for key in [k for k in run["totals"] if "duration" in k or k.endswith("_us")]:
                    del run["totals"][key]
            self.assertEqual(first[part], again[part], part)
        self.assertEqual(outcomes(first), outcomes(other))

    def test_reproduce_reproduces(self):
        for fault in FAULTS:
            run = self.run_device(f"ref:blk,fault={fault}", code=1)
            failures = [r for r in run["results"] if r["outcome"] in ("fail", "crash", "hang")]
            for result in failures[:2]:
                with self.subTest(fault=fault, check=result["id"]):
                    command = shlex.split(result["reproduce"])
                    subprocess.run(command, cwd=self.dir, stdout=subprocess.DEVNULL,
                                   timeout=LIMIT_S, check=False)
                    again = json.loads((self.dir / "vitro-report/run.json").read_text())
                    self.assertEqual(outcomes(again), {result["id"]: result["outcome"]})
                    self.assertEqual(again["results"][0]["findings"], result["findings"])

    def test_replay_repeats_the_finding(self):
        for fault in FAULTS:
            attach = f"ref:blk,fault={fault}"
            run = self.run_device(attach, code=1)
            failures = [r for r in run["results"] if r["outcome"] in ("fail", "crash")]
            self.assertTrue(failures)
            for result in failures[:3]:
                with self.subTest(fault=fault, check=result["id"]):
                    program = result["evidence"]["program"]
                    self.assertTrue(program)
                    done = self.vitro("replay", self.out / program, attach)
                    self.assertEqual((done.code, done.err), (1, ""), done.out)
                    self.assertRegex(done.out, rf"(?m)^{result['outcome']}: ")
                    if result["findings"]:
                        self.assertIn(result["findings"][0]["message"], done.out)

    def test_report_directory_is_replaced(self):
        self.run_device("ref:blk,fault=write-past-buffer", "framing", code=1)
        program = next((self.out / "programs").iterdir())
        foreign = self.out / "programs/notes.txt"
        foreign.write_text("mine\n")
        run = self.run_device("ref:blk", "reset", "--report", "md", code=0)
        self.assertTrue(all(i.startswith("reset.") for i in outcomes(run)))
        self.assertFalse(program.exists())
        self.assertTrue(foreign.exists())  # only what vitro wrote goes
        self.assertTrue((self.out / "summary.md").exists())
        for stale in ("report.html", "junit.xml"):
            self.assertFalse((self.out / stale).exists(), stale)

    def test_report_renders_again(self):
        self.run_device("ref:blk,fault=write-past-buffer", code=1)
        done = self.vitro("report", self.out, "--out", self.dir / "again")
        self.assertEqual(done.code, 1)
        for name in ("run.json", "report.html", "junit.xml", "summary.md"):
            self.assertEqual((self.dir / "again" / name).read_bytes(),
                             (self.out / name).read_bytes(), name)

    def test_examples_conform(self):
        for name in ("vitro_minimal", "vitro_tickets", "vitro_ref_blk"):
            with self.subTest(name):
                run = self.run_device(f"inproc:{MODULES / name}.so", code=0)
                self.assertRegex(run["device"]["binary_hash"], "[0-9a-f]{64}")


class Output(CliTest):

    def test_lists_are_json(self):
        for what, key in (("checks", "id"), ("requirements", "id"), ("faults", "name")):
            rows = json.loads(self.vitro("list", what, "--json").out)
            self.assertGreater(len(rows), 50)
            self.assertEqual(len({row[key] for row in rows}), len(rows))
            some = json.loads(self.vitro("list", what, rows[0][key], "--json").out)
            self.assertEqual(some[0], rows[0])
        self.assertEqual(json.loads(self.vitro("probe", "ref:blk", "--json").out)["device_id"], 2)

    def test_doctor(self):
        self.assertEqual(self.vitro("doctor").code, 0)

    def test_a_pipe_gets_no_colours(self):
        done = self.vitro("run", "ref:blk,fault=used-len-zero", "--out", self.out)
        self.assertNotIn("\x1b", done.out)
        self.assertNotIn("\r", done.out)

    def on_a_terminal(self, *arguments, **changes):
        control, terminal = pty.openpty()
        process = subprocess.Popen([VITRO, *map(str, arguments)], cwd=self.dir,
                                   env=environment(**changes), stdin=subprocess.DEVNULL,
                                   stdout=terminal, stderr=terminal)
        os.close(terminal)
        text = b""
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            if select.select([control], [], [], 0.2)[0]:
                try:
                    text += os.read(control, 65536)
                except OSError:  # the last user of the terminal has closed it
                    break
        os.close(control)
        self.assertIsNotNone(process.wait(timeout=LIMIT_S))
        return text.decode(errors="replace")

    def test_colours(self):
        arguments = ("run", "ref:blk,fault=used-len-zero", "used", "reset", "--out", self.out)
        self.assertRegex(self.on_a_terminal(*arguments), ANSI)
        self.assertNotRegex(self.on_a_terminal(*arguments, NO_COLOR="1"), ANSI)
        self.assertNotRegex(self.on_a_terminal(*arguments, TERM="dumb"), r"\x1b")


def main():
    global VITRO, MODULES, SCRATCH
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    VITRO, MODULES = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
    os.makedirs(sys.argv[3], exist_ok=True)
    SCRATCH = pathlib.Path(tempfile.mkdtemp(dir=sys.argv[3]))
    try:
        unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
    finally:
        shutil.rmtree(SCRATCH, ignore_errors=True)


if __name__ == "__main__":
    main()
