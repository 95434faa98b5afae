// Reads an AsyncAPI document from stdin with the official parser, and prints what it finds wrong, as JSON.
import { text } from "node:stream/consumers";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(await text(process.stdin));
const faults = diagnostics.filter(({ severity }) => severity < 2).map(({ message, path }) => `${path.join(".")}: ${message}`);
const operations = document?.operations().all().map((one) => one.id()) ?? [];
console.log(JSON.stringify({ faults, operations }));
