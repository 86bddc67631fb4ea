// The clients of OpenAI and Vercel, pointed at the proxy; run by tests/integration/server/proxy/test_node.py.
import assert from "node:assert/strict";
import { test } from "node:test";

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

const baseURL = process.env.AGENTCL_PROXY;
const MOVED = "I moved to Oslo last week.";
const messages = [{ role: "user", content: MOVED }];
const functions = ["weather", "clock"].map((name) => ({
  type: "function",
  function: { name, parameters: { type: "object", properties: { town: { type: "string" } } } },
}));

const openai = (user) =>
  new OpenAI({ baseURL, apiKey: "sk-mine", maxRetries: 0, defaultHeaders: { "x-agentcl-user": user } });
const vercel = (user) =>
  createOpenAICompatible({ name: "agentcl", baseURL, apiKey: "sk-mine", headers: { "x-agentcl-user": user } })("m");

const towns = { inputSchema: z.object({ town: z.string() }), execute: async ({ town }) => `rain in ${town}` };
const tools = {
  weather: tool({ description: "Tells the weather.", ...towns }),
  clock: tool({ description: "Tells the time.", ...towns }),
};

test("openai: what was said in one chat is shown in the next", async () => {
  const client = openai("openai-chat");
  const first = await client.chat.completions.create({ model: "m", messages });
  assert.equal(first.choices[0].message.content, `You said: ${MOVED}`);
  const asked = client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "Where is Oslo?" }] });
  const { data, response } = await asked.withResponse();
  assert.match(response.headers.get("x-agentcl-memories"), /\w{26}/);
  assert.match(data.choices[0].message.content, /I moved to Oslo/);
});

test("openai: a stream comes in its pieces", async () => {
  const pieces = [];
  const stream = await openai("openai-stream").chat.completions.create({ model: "m", messages, stream: true });
  for await (const chunk of stream) pieces.push(chunk.choices[0]?.delta?.content ?? "");
  assert.equal(pieces.filter(Boolean).length, 8);
});

test("openai: tools are called at once, with and without a stream", async () => {
  const client = openai("openai-tools");
  const given = { model: "m", messages, tools: functions };
  const whole = (await client.chat.completions.create(given)).choices[0].message;
  const streamed = (await client.chat.completions.stream(given).finalChatCompletion()).choices[0].message;
  for (const message of [whole, streamed])
    assert.deepEqual(
      message.tool_calls.map((call) => [call.function.name, call.function.arguments]),
      [["weather", '{"town": "Oslo"}'], ["clock", '{"town": "Oslo"}']],
    );
});

test("openai: responses, at once and as events", async () => {
  const client = openai("openai-responses");
  const first = await client.responses.create({ model: "m", input: MOVED });
  assert.equal(first.output_text, `You said: ${MOVED}`);
  const types = [];
  const stream = await client.responses.create({ model: "m", input: "And now?", previous_response_id: first.id, stream: true });
  for await (const event of stream) types.push(event.type);
  assert.equal(types.at(-1), "response.completed");
});

test("openai: a stream is left in its midst", async () => {
  const stream = await openai("openai-left").chat.completions.create({ model: "m", messages, stream: true });
  for await (const chunk of stream) {
    assert.ok(chunk.id);
    break;
  }
});

test("ai: what was said in one chat is shown in the next", async () => {
  const model = vercel("ai-chat");
  assert.equal((await generateText({ model, prompt: MOVED })).text, `You said: ${MOVED}`);
  assert.match((await generateText({ model, prompt: "Where is Oslo?" })).text, /I moved to Oslo/);
  const off = { providerOptions: { agentcl: { "x-agentcl-memory": "off" } } };
  assert.equal((await generateText({ model, prompt: "Where is Oslo?", ...off })).text, "You said: Where is Oslo?");
});

test("ai: a stream of text", async () => {
  let text = "";
  for await (const piece of streamText({ model: vercel("ai-stream"), prompt: MOVED }).textStream) text += piece;
  assert.match(text, /^You ?said: ?I/);
});

for (const name of ["generateText", "streamText"])
  test(`ai: tools are called at once and answered by ${name}`, async () => {
    const given = { model: vercel(`ai-${name}`), prompt: MOVED, tools, stopWhen: stepCountIs(3) };
    const result = name === "generateText" ? await generateText(given) : streamText(given);
    if (name === "streamText") await result.consumeStream();
    const steps = await result.steps;
    assert.deepEqual(steps[0].toolCalls.map((call) => [call.toolName, call.input.town]), [["weather", "Oslo"], ["clock", "Oslo"]]);
    assert.match((await result.text).replaceAll(" ", ""), /Yousaid:raininOslo/);
  });
