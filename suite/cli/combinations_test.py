# SPDX-License-Identifier: Apache-2.0
"""Uses `vitro combinations` as people do, also on devices that hang, crash and change their mind.

combinations_test.py VITRO MODULE_DIR SCRATCH [options of unittest]
"""

import json
import pathlib
import shutil
import signal

import cli_test
import jsonschema

SCHEMA = json.loads((cli_test.ROOT / "reports/combinations.schema.json").read_text())

# Of a type that Vitro has no profile of, with bits 0 to 11 beside VERSION_1; one has sets that it
# does not survive, or does not take.
OFFER = (
    "static void type(vitro_device* d, vitro_identity* i) { identity(d, i); i->device_id = 60; }\n"
    "static void offer(vitro_device* d, uint64_t w[2]) "
    "{ (void)d; w[0] = (UINT64_C(1) << 32) | 0xfff; w[1] = 0; }\n"
    "static uint64_t taken_bits; static uint8_t now;\n"
    "static void take(vitro_device* d, const uint64_t w[2]) "
    "{ (void)d; taken_bits = w[1] == 0 ? w[0] : 0; }\n"
    "static uint8_t get(vitro_device* d) { (void)d; return now; }\n"
    "static void back(vitro_device* d) { (void)d; now = 0; }\n"
    "static void put(vitro_device* d, uint8_t s) { (void)d; "
    "if ((s & 8) && (taken_bits >> 12) == (UINT64_C(1) << 20)) { %s } "
    "if ((s & 8) && (taken_bits >> 12) != (UINT64_C(1) << 20)) s &= ~8; now = s; }\n")
USE = ("mine.identity = type; mine.offered_features = offer; mine.accept_features = take; mine.get_status = get; "
       "mine.set_status = put; mine.reset = back;")
# With bits 3 and 5, without 7.
INTERACTION = "(taken_bits & 0xa8) == 0x28"
cli_test.DEVICES.update({
    "wide": (OFFER % "", USE),
    "wide_slow": (OFFER % "usleep(500);", USE),
    "wide_crash": (OFFER % f"if ({INTERACTION}) {cli_test.CRASH}", USE),
    "wide_hang_once": (OFFER % "if ((taken_bits & 0xfff) == 0x028) for (;;) pause();", USE),
    "wide_slow_refuse": (OFFER % f"usleep(1000); if ({INTERACTION}) s &= ~8;", USE),
    "wide_refuse": (OFFER % f"if ({INTERACTION}) s &= ~8;", USE),
})
WIDE = 1 << 12


class Combinations(cli_test.CliTest):

    def combinations(self, attach, *arguments, code=0):
        done = self.vitro("combinations", attach, "--out", self.out, *arguments)
        self.assertEqual(done.code, code, (done.out, done.err))
        record = json.loads((self.out / "combinations.json").read_text())
        jsonschema.validate(record, SCHEMA)
        self.assertEqual(record["exit_code"], code)
        self.assertIn("</html>", (self.out / "combinations.html").read_text())
        return record, done

    def device(self, name):
        return f"inproc:{cli_test.library(name)}"

    def test_all_sets_of_the_reference_devices(self):
        for attach, sets in (("ref:entropy", 16), ("ref:experimental", 3 * 16)):
            for depth in ("negotiate", "config", "io"):
                with self.subTest(attach=attach, depth=depth):
                    record, done = self.combinations(attach, "--depth", depth, "--strict")
                    self.assertEqual(record["space"]["valid"], str(sets))
                    self.assertTrue(record["plan"]["exhaustive"])
                    self.assertEqual(record["sweep"]["taken"], sets)
                    self.assertEqual(record["sweep"]["outcomes"], {})
                    self.assertEqual(record["invalid"]["outcomes"], {})
                    self.assertEqual(record["invalid"]["taken"], 0)
                    self.assertEqual(record["pairs"]["tried"], record["pairs"]["possible"])
                    self.assertIn(f"all {sets} valid sets were tried", done.out)

    def test_more_than_the_budget_is_a_covering_array(self):
        record, done = self.combinations(self.device("wide"), "--budget", "100")
        self.assertFalse(record["plan"]["exhaustive"])
        self.assertGreaterEqual(record["plan"]["strength"], 2)
        self.assertLessEqual(record["plan"]["sets"], 100)
        self.assertEqual(set("".join(record["pairs"]["tried"])), {"4"})
        self.assertRegex(done.out, r"covering array of strength \d")

    def test_a_hang_costs_one_set(self):
        record, done = self.combinations(self.device("wide_hang_once"), "--timeout", "300", code=1)
        self.assertEqual(record["sweep"]["tried"], WIDE)
        self.assertEqual(record["sweep"]["taken"], WIDE - 1)
        self.assertEqual(record["sweep"]["outcomes"], {"hang": 1})
        self.assertEqual(record["sweep"]["failures"][0]["set"], "0x100000028")
        self.assertIn("no answer within 300 ms", done.out)

    def test_a_failure_is_reduced_and_replays(self):
        for name, outcome, code in (("wide_crash", "crash", 1), ("wide_refuse", "warn", 0)):
            with self.subTest(name):
                attach = self.device(name)
                record, _ = self.combinations(attach, "--budget", "80", code=code)
                (reduced,) = record["reduced"]
                self.assertEqual([bit["bit"] for bit in reduced["on"]], [3, 5])
                self.assertEqual([bit["bit"] for bit in reduced["off"]], [7])
                self.assertEqual(reduced["outcome"], outcome)
                self.assertEqual(record["sweep"]["outcomes"], {outcome: reduced["sets"]})
                replayed = self.vitro("replay", self.out / reduced["program"], attach)
                self.assertEqual(replayed.code, code, replayed.out)
                self.assertIn(outcome, replayed.out)

    def test_interrupted_it_resumes(self):
        whole, _ = self.combinations(self.device("wide_slow"))
        shutil.rmtree(self.out)
        process = self.start("combinations", self.device("wide_slow"), "--out", self.out, "--quiet")
        self.wait_for("the sweep", lambda: len(self.children(process.pid)) > 0)
        self.wait_for("some of it", lambda: self.busy_children(process.pid))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=cli_test.LIMIT_S)
        self.assertEqual((process.returncode, err), (130, ""))
        self.assertIn("interrupted", out)
        part = json.loads((self.out / "combinations.json").read_text())
        self.assertLess(part["sweep"]["tried"], WIDE)
        self.assertGreater(part["sweep"]["tried"], 0)
        self.refused(2, "is of 'inproc:.*', not of 'ref:blk'", "combinations", "ref:blk", "--resume",
                     "--out", self.out)
        record, _ = self.combinations(self.device("wide_slow"), "--resume")
        for key in ("planned", "tried", "taken", "outcomes", "failures"):
            self.assertEqual(record["sweep"][key], whole["sweep"][key])
        self.assertGreater(record["sweep"]["took_us"], part["sweep"]["took_us"])
        self.refused(2, "is complete", "combinations", self.device("wide_slow"), "--resume", "--out",
                     self.out)

    def test_killed_it_resumes(self):
        whole, _ = self.combinations(self.device("wide_slow_refuse"))
        shutil.rmtree(self.out)
        tried = 0
        # Killed twice, each time as soon as it has written down something new.
        for more in ([], ["--resume"]):
            process = self.start("combinations", self.device("wide_slow_refuse"), "--out", self.out,
                                 "--quiet", *more)
            self.wait_for("a record", lambda: self.tried_by_record() > tried)
            process.kill()
            process.communicate(timeout=cli_test.LIMIT_S)
            part = json.loads((self.out / "combinations.json").read_text())
            jsonschema.validate(part, SCHEMA)
            self.assertFalse(part["complete"])
            self.assertEqual(part["exit_code"], 130)
            sweep, tried = part["sweep"], part["sweep"]["tried"]
            self.assertLess(tried, WIDE)
            self.assertEqual(sweep["taken"] + sweep["outcomes"].get("warn", 0), tried)
        record, _ = self.combinations(self.device("wide_slow_refuse"), "--resume")
        for key in ("planned", "tried", "taken", "outcomes", "failures"):
            self.assertEqual(record["sweep"][key], whole["sweep"][key])
        self.assertEqual([(each["on"], each["off"]) for each in record["reduced"]],
                         [(each["on"], each["off"]) for each in whole["reduced"]])

    def tried_by_record(self):
        try:
            return json.loads((self.out / "combinations.json").read_text())["sweep"]["tried"]
        except OSError:
            return 0

    def busy_children(self, pid):
        """Has some child of it used the processor, or waited in the device, for a while?"""
        for child in self.children(pid):
            try:
                fields = pathlib.Path(f"/proc/{child}/status").read_text()
            except OSError:
                continue
            switches = [line.split()[1] for line in fields.splitlines()
                        if line.startswith("voluntary_ctxt_switches")]
            if switches and int(switches[0]) > 20:
                return True
        return False

    def test_the_time_may_be_limited(self):
        record, _ = self.combinations(self.device("wide_slow"), "--for", "1")
        self.assertEqual(record["sweep"]["ended"], "time-up")
        self.assertLess(record["sweep"]["tried"], WIDE)

    def test_faults_that_take_several_features(self):
        for fault, depth, outcome, on, off, code in (
                ("features-ok-refused-together", "negotiate", "warn", {28, 29}, {35, 40}, 0),
                ("features-together-crash", "io", "crash", {29, 40}, {28, 35}, 1),
                ("features-together-used-length", "io", "warn", {28, 35}, {29, 40}, 0)):
            with self.subTest(fault):
                record, _ = self.combinations(f"ref:entropy,fault={fault}", "--depth", depth,
                                              code=code)
                (reduced,) = record["reduced"]
                self.assertEqual({bit["bit"] for bit in reduced["on"]}, on)
                self.assertEqual({bit["bit"] for bit in reduced["off"]}, off)
                self.assertEqual(reduced["outcome"], outcome)

    def test_invalid_sets_are_judged(self):
        record, _ = self.combinations("ref:experimental,fault=features-ok-for-unoffered")
        self.assertGreater(record["invalid"]["taken"], 0)
        self.assertEqual(list(record["invalid"]["outcomes"]), ["warn"])
        self.combinations("ref:experimental,fault=features-ok-for-unoffered", "--strict", code=1)

    def test_refusals(self):
        self.refused(2, "ATTACH", "combinations")
        self.refused(2, "--depth", "combinations", "ref:blk", "--depth", "deep")
        self.refused(2, "--strength", "combinations", "ref:blk", "--strength", "7")
        self.refused(2, "--budget", "combinations", "ref:blk", "--budget", "0")
        self.refused(2, "--resume excludes|excludes --", "combinations", "ref:blk", "--resume",
                     "--budget", "5")
        self.refused(2, "combinations.json: No such file", "combinations", "ref:blk", "--resume",
                     "--out", self.out)
        self.out.mkdir()
        for text, expected in (("nonsense", "is not JSON"), ("{}", "kind"),
                               ('{"kind": "combinations", "schema": 9}', "schema 9.*schema 1")):
            (self.out / "combinations.json").write_text(text)
            self.refused(2, expected, "combinations", "ref:blk", "--resume", "--out", self.out)
        self.refused(2, "nosuch.toml", "combinations", "ref:blk", "--profile", "nosuch.toml")


if __name__ == "__main__":
    cli_test.main()
