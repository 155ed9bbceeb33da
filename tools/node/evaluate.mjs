// GitHub's own parser of workflows and evaluator of expressions, asked one question a line: JSON in, JSON out.
//
//   {"parse": "text of a workflow"}                  -> {"value": the document}, an expression in it as {"$": "github.ref"}
//   {"evaluate": "github.ref", "context": {…},
//    "status": "success" | "failure" | "cancelled"}  -> {"value": what it is}
//
// What fails is answered with {"error": "why"}.

import { createInterface } from "node:readline";
import { data, Evaluator, Lexer, Parser } from "@actions/expressions";
import { isBasicExpression, isMapping, isSequence, NoOperationTraceWriter, parseWorkflow } from "@actions/workflow-parser";

const STATUSES = ["success", "failure", "cancelled", "always"];
const functions = (status) =>
  STATUSES.map((name) => ({
    name,
    description: "",
    minArgs: 0,
    maxArgs: 0,
    call: () => new data.BooleanData(name === "always" || name === status),
  }));

function plain(token) {
  if (isBasicExpression(token)) return { $: token.expression };
  if (isSequence(token)) return items(token).map(plain);
  if (isMapping(token)) return Object.fromEntries(items(token).map(({ key, value }) => [key.toString(), plain(value)]));
  return token.value ?? null;
}

function items(token) {
  return Array.from({ length: token.count }, (_, index) => token.get(index));
}

function parse(content) {
  const { context, value } = parseWorkflow({ name: "workflow.yaml", content }, new NoOperationTraceWriter());
  const wrong = context.errors.getErrors().map((error) => error.message);
  if (wrong.length > 0) throw new Error(wrong.join("; "));
  return plain(value);
}

function evaluate(expression, context, status) {
  const known = functions(status);
  const tokens = new Lexer(expression).lex().tokens;
  const tree = new Parser(tokens, Object.keys(context), known).parse();
  const values = JSON.parse(JSON.stringify(context), data.reviver);
  return plainData(new Evaluator(tree, values, new Map(known.map((one) => [one.name, one]))).evaluate());
}

function plainData(value) {
  return JSON.parse(JSON.stringify(value, data.replacer));
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const asked = JSON.parse(line);
  let answer;
  try {
    answer = { value: "parse" in asked ? parse(asked.parse) : evaluate(asked.evaluate, asked.context, asked.status) };
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
});
