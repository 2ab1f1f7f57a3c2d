import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { privilegesLeft } from "../../src/cli/privileges.ts";

/** `/proc/self/status` of a process without any privilege, as Linux 6 writes it. */
const NONE = `Name:\tbun
Uid:\t1000\t1000\t1000\t1000
Gid:\t1000\t1000\t1000\t1000
Groups:\t
NSpid:\t7
CapInh:\t0000000000000000
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
CapBnd:\t0000000000000000
CapAmb:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
`;

describe("privilegesLeft", () => {
  test("nothing, of a process without any", () => {
    expect(privilegesLeft(NONE)).toEqual([]);
    expect(privilegesLeft(NONE.replace("Groups:\t\n", "Groups:\t1000 44 \n"))).toEqual([]);
  });

  test.each([
    ...["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].flatMap((set) => [
      {
        name: `NET_ADMIN in ${set}`,
        from: `${set}:\t0000000000000000`,
        to: `${set}:\t0000000000001000`,
        left: `${set} is 0000000000001000, expected no capability`,
      },
      {
        name: `no ${set}`,
        from: `${set}:\t0000000000000000\n`,
        to: "",
        left: `${set} is missing, expected no capability`,
      },
    ]),
    {
      name: "privileges may be gained anew",
      from: "NoNewPrivs:\t1",
      to: "NoNewPrivs:\t0",
      left: "NoNewPrivs is 0, expected 1",
    },
    {
      name: "a kernel that does not tell",
      from: "NoNewPrivs:\t1\n",
      to: "",
      left: "NoNewPrivs is missing, expected 1",
    },
    {
      name: "a saved root",
      from: "Uid:\t1000\t1000\t1000",
      to: "Uid:\t1000\t1000\t0",
      left: "Uid is 1000 1000 0 1000, expected four that are not 0",
    },
    {
      name: "root's group",
      from: "Gid:\t1000\t",
      to: "Gid:\t0\t",
      left: "Gid is 0 1000 1000 1000, expected four that are not 0",
    },
    {
      name: "root's group among the others",
      from: "Groups:\t\n",
      to: "Groups:\t1000 0 \n",
      left: "Groups is 1000 0, expected none that is 0",
    },
  ])("$name", ({ from, to, left }) => {
    expect(NONE).toContain(from);
    expect(privilegesLeft(NONE.replace(from, to))).toEqual([left]);
  });

  test("everything is missing in an empty text", () => {
    expect(privilegesLeft("")).toHaveLength(9);
  });

  test("the kernel's own text is understood", () => {
    // Whatever this process has, its fields are there.
    expect(privilegesLeft(readFileSync("/proc/self/status", "latin1")).join()).not.toContain(
      "missing",
    );
  });
});
