// Against a real server, whose address is in AGENTCL_SERVER.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AgentclError, createClient } from "../dist/index.js";

const url = process.env.AGENTCL_SERVER;
const named = (name) => (error) => error instanceof AgentclError && error.name === name;

test("what is added is found, changed and forgotten", async () => {
  const client = createClient(url, { scope: { user: "ada" } });
  const added = await client.add({ text: "The ferry to Tessary leaves at seven. ⛴" });
  assert.deepEqual([added.kind, added.version, added.scope.user], ["document", 1, "ada"]);
  const found = await client.search({ query: "ferry" });
  assert.equal(found.hits[0].document_id, added.id);
  assert.equal((await client.update({ id: added.id, title: "Ferry", if_version: 1 })).version, 2);
  await assert.rejects(client.update({ id: added.id, title: "Boat", if_version: 1 }), named("VersionConflict"));
  assert.equal(await client.delete({ id: added.id }), null);
  assert.equal((await client.forget({ ids: [added.id] })).removed[0].id, added.id);
  await assert.rejects(client.get({ id: added.id }), named("NotFound"));
});

test("what is sent leads to nobody else than whom the client is bound to", async () => {
  const client = createClient(url, { scope: { user: "ada" } });
  for (const user of ["eve", null, undefined]) {
    await assert.rejects(client.list({ user }), named("InvalidInput"));
    await assert.rejects(client.exchanges.get({ id: "x", user }), named("InvalidInput"));
  }
  assert.deepEqual(await client.list({ user: "ada", session: "s" }), []);
});

test("rooms, and an episode over requests", async () => {
  const client = createClient(`${url}/`);
  await client.remember({ messages: [{ role: "user", content: "I live in Gent." }], user: "bob" });
  const far = [];
  const report = await client.statements.digest({ digester: "rules", user: "bob" }, { progress: (one) => far.push(one) });
  assert.equal(report.read, 1);
  assert.ok(far.length > 0);
  assert.deepEqual((await client.statements.list({ user: "bob" })).map((one) => one.value), ["Gent"]);
  const { id } = await client.episodes.begin({ task: "clear it" });
  await client.episodes.step({ id, seen: "slow", action: "drain it", outcome: "gone" });
  assert.equal((await client.episodes.finish({ id, score: 1 })).status, "finished");
});

test("problems are errors with the name and the words of the server", async () => {
  const client = createClient(url);
  await assert.rejects(client.search({ query: "x", limt: 3 }), /did you mean 'limit'/);
  await assert.rejects(client.statements.digest({ digester: "rule" }, { progress: () => {} }), /did you mean 'rules'/);
  await assert.rejects(client.serch({}), named("NotFound"));
  assert.equal((await client.store.stats()).records.document ?? 0, 0);
});

test("a write is done once for its key, and tried again while the server is busy", async () => {
  let times = 0;
  const flaky = async (...request) => {
    const response = await fetch(...request);
    if (times++ === 0) throw new TypeError("the answer was lost");
    return times === 2 ? new Response(null, { status: 503 }) : response;
  };
  const client = createClient(url, { fetch: flaky, scope: { user: "eve" } });
  const added = await client.add({ text: "once", duplicates: "keep" });
  assert.equal(times, 3);
  assert.deepEqual((await client.list({})).map((one) => one.id), [added.id]);
});

test("an exchange with the model is told, and credited by how it turned out", async () => {
  const scope = { user: "zoë ⛴" };
  const client = createClient(url, { scope });
  const { id } = await client.add({ text: "The harbour of Bergen lies by the tram." });
  const lesson = await client.lessons.add({ lesson: "When it rains in Bergen, do take the tram." });
  const body = JSON.stringify({ messages: [{ role: "user", content: "It rains in Bergen. How do I get to the harbour?" }] });
  const headers = { "x-agentcl-user": String.fromCharCode(...new TextEncoder().encode(scope.user)) };
  const answer = await fetch(`${url}/v1/chat/completions`, { method: "POST", body, headers });
  assert.equal(answer.status, 200);
  const exchange = answer.headers.get("x-agentcl-exchange");
  const told = await client.exchanges.get({ id: exchange, wait_s: 30 });
  assert.deepEqual([told.state, told.scope.user, told.outcome], ["done", scope.user, null]);
  assert.equal(told.shown.find((one) => one.id === id).text, "The harbour of Bergen lies by the tram.");
  const credited = await client.exchanges.report({ id: exchange, thumb: "up" });
  assert.deepEqual([credited.score, credited.memories.includes(id)], [1, true]);
  assert.deepEqual(credited.lessons, answer.headers.get("x-agentcl-lessons")?.split(",") ?? []);
  assert.equal(told.lessons.length + told.withheld, 1, JSON.stringify(lesson));
  assert.deepEqual(await client.exchanges.report({ id: exchange, score: 1 }), credited);
  await assert.rejects(client.exchanges.report({ id: exchange, thumb: "down" }), /already/);
  await assert.rejects(client.exchanges.report({ id: exchange }), named("InvalidInput"));
  const other = createClient(url, { scope: { user: "bob" } });
  await assert.rejects(other.exchanges.get({ id: exchange }), named("NotFound"));
  await assert.rejects(client.exchanges.get({ id: ".." }), named("InvalidInput"));
  await client.forget({ ids: [id] });
  const later = await client.exchanges.get({ id: exchange });
  assert.deepEqual(later.shown.find((one) => one.id === id).is_gone, true);
});

test("a server that is not there, and a request that is ended", async () => {
  await assert.rejects(createClient("http://127.0.0.1:1", { tries: 2 }).list(), named("ServerUnavailable"));
  const ended = AbortSignal.abort();
  await assert.rejects(createClient(url).list({}, { signal: ended }), { name: "AbortError" });
  assert.ok(await Promise.resolve(createClient(url)));
});
