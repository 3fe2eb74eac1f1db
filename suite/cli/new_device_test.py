# SPDX-License-Identifier: Apache-2.0
"""From nothing to a green report, as `vitro new` promises; and `vitro lint` on the way.

new_device_test.py VITRO VITRO_BUILD SCRATCH [options of unittest]

VITRO_BUILD is the build directory that the new project finds Vitro in (vitro-config.cmake). Only the
standard library, CMake and a compiler.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

VITRO = BUILD = SCRATCH = None  # set by main

LIMIT_S = 500
OPTIONS = []  # of CMake, for the new project: the compilers that Vitro was built with


class NewDeviceTest(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))

    def run_command(self, *arguments, code=0):
        done = subprocess.run([str(each) for each in arguments], cwd=self.dir, text=True,
                              capture_output=True, timeout=LIMIT_S)
        self.assertEqual(done.returncode, code, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done

    def vitro(self, *arguments, code=0):
        return self.run_command(VITRO, *arguments, code=code)

    def test_from_nothing_to_a_green_report(self):
        made = self.vitro("new", "lamp").stdout
        project = self.dir / "lamp"
        for name in ("README.md", "lamp.toml", "lamp.c", "vitro_device.h", "lamp_test.cc",
                     "CMakeLists.txt", ".github/workflows/vitro.yml"):
            self.assertTrue((project / name).is_file(), name)
            self.assertIn(f"lamp/{name}", made)
            text = (project / name).read_text()
            for left in ("@NAME@", "@UPPER@", "minimal", "entropy"):
                self.assertNotIn(left, text, name)

        linted = json.loads(self.vitro("lint", "lamp/lamp.toml", "--strict", "--json").stdout)
        self.assertEqual([each["lint"] for each in linted["findings"]], ["lint.id.experimental"])

        self.run_command("cmake", "-S", "lamp", "-B", "build", f"-Dvitro_DIR={BUILD}", *OPTIONS)
        self.run_command("cmake", "--build", "build")
        self.run_command("ctest", "--test-dir", "build", "--output-on-failure")

        ran = self.vitro("run", "inproc:build/lamp.so", "--profile", "lamp/lamp.toml", "--strict",
                         "--out", "report")
        self.assertIn("conformant", ran.stdout)
        run = json.loads((self.dir / "report/run.json").read_text())
        self.assertEqual(run["invocation"]["profile"], "lamp (lamp/lamp.toml)")
        outcomes = {each["id"]: each["outcome"] for each in run["results"]}
        self.assertTrue(set(outcomes.values()) <= {"pass", "not-applicable", "not-observable"},
                        {id for id, outcome in outcomes.items() if outcome not in
                         ("pass", "not-applicable", "not-observable")})
        self.assertEqual(outcomes["profile.queues.there"], "pass")
        probed = self.vitro("probe", "inproc:build/lamp.so", "--profile", "lamp/lamp.toml").stdout
        self.assertIn("profile    lamp (lamp/lamp.toml)", probed)
        self.refuses_contradictions()

    def refuses_contradictions(self):
        right = (self.dir / "lamp/lamp.toml").read_text()
        second = '[[queue]]\nname = "moreq"\nindex = 1\ndirection = "requests"\n'
        field = '[[field]]\nname = "limit"\noffset = 0\nwidth = 4\naccess = "ro"\n'
        for wrong, message in (
                (right.replace("id = 65535", "id = 65534"), "its id is 65535, expected 65534"),
                (right + second, "it has 1 virtqueues, expected 2 or more, with moreq"),
                (right + field, "has 0 bytes, expected 4 or more, with limit")):
            (self.dir / "wrong.toml").write_text(wrong)
            for command in ("run", "probe"):
                done = self.vitro(command, "inproc:build/lamp.so", "--profile", "wrong.toml",
                                  code=2)
                self.assertRegex(done.stderr, r"^vitro: wrong\.toml:\d+: the device is not of "
                                 "this type: .*" + message)

    def test_new_overwrites_nothing(self):
        self.vitro("new", "lamp", "--dir", "there")
        before = (self.dir / "there/lamp.c").read_text()
        done = self.vitro("new", "lamp", "--dir", "there", code=2)
        self.assertIn("there is there already: expected a new or an empty directory", done.stderr)
        self.assertEqual((self.dir / "there/lamp.c").read_text(), before)
        for name in ("Lamp", "9lamp", "la-mp", "../lamp", ""):
            self.assertIn("is no name for a device type", self.vitro("new", name, code=2).stderr)
        self.assertIn("'blk' is a device type that Vitro knows",
                      self.vitro("new", "blk", code=2).stderr)

    def test_lint_tells_what_a_new_version_breaks(self):
        self.vitro("new", "lamp")
        old = (self.dir / "lamp/lamp.toml").read_text()
        field = '[[field]]\nname = "limit"\noffset = 0\nwidth = 4\naccess = "ro"\n'
        (self.dir / "new.toml").write_text(old + field)
        line = 1 + (old + field)[: len(old)].count("\n")
        done = self.vitro("lint", "new.toml", "lamp/lamp.toml")
        self.assertIn(f"new.toml:{line}: warn: field limit is new, and no new bit tells that it is "
                      "there", done.stdout)
        self.assertIn("lint.change.field-added (Creating New Device Types, \"Device Improvements\")",
                      done.stdout)
        self.assertIn("lamp: 0 errors, 1 warning, 1 remark", done.stdout)
        self.vitro("lint", "new.toml", "lamp/lamp.toml", "--strict", code=1)
        gone = self.vitro("lint", "lamp/lamp.toml", "new.toml", code=1)
        self.assertIn("field limit at offset 0 is no more", gone.stdout)

    def test_lint_takes_names_and_files(self):
        self.assertIn("blk: 0 errors", self.vitro("lint", "blk").stdout)
        (self.dir / "bad.toml").write_text("schema = 1\nid = 0\n")
        self.assertIn("vitro: bad.toml:2: id is 0, expected 1 to",
                      self.vitro("lint", "bad.toml", code=2).stderr)
        self.assertIn("vitro: lamp: there is no such file",
                      self.vitro("lint", "lamp", code=2).stderr)
        profiles = json.loads(self.vitro("list", "profiles", "--json").stdout)
        self.assertIn(("entropy", 4), {(each["name"], each["id"]) for each in profiles})
        for each in profiles:
            self.vitro("lint", each["name"])


def main():
    global VITRO, BUILD, SCRATCH
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    VITRO, BUILD = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
    os.makedirs(sys.argv[3], exist_ok=True)
    SCRATCH = pathlib.Path(tempfile.mkdtemp(dir=sys.argv[3]))
    rest = sys.argv[4:]
    OPTIONS.extend(each for each in rest if each.startswith("-D"))
    try:
        unittest.main(argv=[sys.argv[0], *(each for each in rest if each not in OPTIONS)])
    finally:
        shutil.rmtree(SCRATCH, ignore_errors=True)


if __name__ == "__main__":
    main()
