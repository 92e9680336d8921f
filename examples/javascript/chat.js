// Drive a running studio with LangGraph's JavaScript SDK, unchanged: a sketch, a question, an answer, a second thought.
//
//     ./artisan serve
//     cd examples/javascript && npm ci
//     node chat.js ../sketches/house.png
//
// The first turn streams a run; the second one listens to the thread, as React's useStream does.
// The pictures are written into the present folder.

import { readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { Client } from "@langchain/langgraph-sdk";

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    message: { type: "string", default: "a hotel lobby at dusk" },
    then: { type: "string", default: "with warmer light" },
    url: { type: "string", default: "http://127.0.0.1:8000" },
  },
});
const client = new Client({ apiUrl: given.url, apiKey: null });
const { thread_id: threadId } = await client.threads.create();

/** Start a run, show its progress, and return its last values. */
async function run(payload) {
  let values;
  const streamMode = ["values", "custom"];
  for await (const { event, data } of client.runs.stream(threadId, "artisan", { streamMode, ...payload })) {
    if (event === "values") values = data;
    else if (event === "error") throw new Error(data.message);
    else if (data.type === "said") console.log(`${data.node}: ${data.text}`);
    else if (data.type === "progress") console.log(`step ${data.step} of ${data.total}`);
  }
  return values;
}

const drawing = (await readFile(positionals[0])).toString("base64");
const content = [
  { type: "text", text: given.message },
  { type: "image", base64: drawing, mime_type: "image/png" },
];
let values = await run({ input: { messages: [{ type: "human", content }] }, context: { style: "ask" } });
for (const question of values.__interrupt__ ?? []) {
  const { candidates } = question.value;
  console.log("Which style?", candidates.map(({ style, reason }) => `${style} (${reason})`).join(", "));
  const answer = { styles: [{ style: candidates[0].style }] };
  values = await run({ command: { resume: { [question.id]: answer } } });
}
const [text, image] = values.messages.at(-1).content;
await writeFile("javascript-1.png", Buffer.from(await (await fetch(image.url)).arrayBuffer()));
console.log(`${text.text} -> javascript-1.png`);

const thread = client.threads.stream(threadId, { assistantId: "artisan" });
const { images, output } = thread; // whatever is asked for before the run begins misses nothing
const { progress } = thread.extensions;
await thread.run.start({ input: { messages: [{ type: "human", content: given.then }] } });
for await (const { step, total } of progress) console.log(`step ${step} of ${total}`);
for await (const picture of images) {
  await writeFile("javascript-2.png", Buffer.from(await (await picture.blob).arrayBuffer()));
}
values = await output;
console.log(`${values.messages.at(-1).content[0].text} -> javascript-2.png`);
await thread.close();

const past = await client.threads.getHistory(threadId, { limit: 100 });
console.log(`The thread has ${values.messages.length} messages and ${past.length} checkpoints.`);
