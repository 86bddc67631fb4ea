// A lesson as a sentence.
import type { Guidance } from "../lib/types";

const FORMS: Record<string, (when: string, what: string) => string> = {
  do: (when, what) => `When ${when}, ${what}.`,
  avoid: (when, what) => `When ${when}, do not ${what}.`,
  useless: (when, what) => `When ${when}, it does not help to ${what}.`,
  needs: (when, what) => `Before ${when}, ${what}.`,
  expect: (when, what) => `When ${when}, expect that ${what}.`,
};

export function sentence(one: Guidance): string {
  return (FORMS[one.claim] ?? ((when, what) => `${when}: ${what}`))(one.when, one.what);
}
