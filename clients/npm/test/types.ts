// Checked by `npm run check`: what is wrong here is an error, and what is right is none.
import { createClient, type Schemas } from "../src/index.js";

const client = createClient("http://127.0.0.1:8321", { scope: { user: "ada" } });

export async function typed(): Promise<void> {
  const document: Schemas["Document"] = await client.add({ text: "x", metadata: { n: 1 } });
  const version: number = document.version;
  const found = await client.search({ query: "x", mode: "graph", valid_at: { any: true } });
  const score: number | undefined = found.hits[0]?.score;
  const held = await client.statements.list();
  const value: string | undefined = held[0]?.value;
  await client.store.stats();
  const nothing: null = await client.delete({ id: document.id });
  const told = await client.exchanges.get({ id: "5f0c2a9e", wait_s: 10, user: "ada" });
  const [shown] = told.shown;
  const text: string | undefined = shown && !shown.is_gone ? shown.text : undefined;
  const credited: string[] = (await client.exchanges.report({ id: told.id, thumb: "up" })).lessons;
  await client.exchanges.report({ id: told.id, score: 0.5 });
  void [version, score, value, nothing, text, credited];
  // @ts-expect-error what was forgotten has no text
  void shown?.text;
  // @ts-expect-error an outcome is a score or a thumb
  await client.exchanges.report({ id: told.id });
  // @ts-expect-error and not both
  await client.exchanges.report({ id: told.id, score: 1, thumb: "up" });
  // @ts-expect-error there is no such thumb
  await client.exchanges.report({ id: told.id, thumb: "left" });
  // @ts-expect-error a text is needed
  await client.add({});
  // @ts-expect-error a text is no number
  await client.add({ text: 1 });
  // @ts-expect-error there is no such mode
  await client.search({ query: "x", mode: "grap" });
  // @ts-expect-error there is no such verb
  await client.serch({ query: "x" });
  // @ts-expect-error there is no such verb of the room
  await client.statements.lst();
  // @ts-expect-error a document has no such field
  void document.body;
}
