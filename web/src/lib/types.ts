// What the server answers, as far as the page reads it.
export interface Scope {
  tenant?: string;
  user?: string;
  agent?: string;
  session?: string;
}

export interface About {
  version: string;
  scope: Scope;
  rights: string[];
  records: Record<string, number>;
  began: string | null;
  encoder: string;
  has_model: boolean;
  soft: { codec: string; is_on: boolean; reason: string };
  models: string[];
}

export interface Measured {
  model: string;
  fingerprint: string;
  measured: { at: string; fingerprint: string }[];
  is_unchanged: boolean;
}

export interface Link {
  steps: [string, string][];
}

export interface ScorePart {
  source: string;
  rank: number;
  score: number;
  contribution: number;
  link: Link | null;
}

export interface Hit {
  id: string;
  document_id: string;
  text: string;
  title: string;
  uri: string;
  score: number;
  parts: ScorePart[];
  scope: Scope;
  metadata: Record<string, unknown>;
  created_at: string;
  matched_terms?: string[];
}

export interface Recall {
  query: string;
  hits: Hit[];
  mode: string;
  is_lexical: boolean;
  way: string;
  warning: string;
}

export interface Shown {
  number: number;
  id: string;
  kind: "statement" | "turn" | "document";
  text: string;
  is_past: boolean;
}

export interface SoftShown {
  way: string; // what is shown as soft tokens, or why all is text
  codec: string;
  tokens: number;
  saved: number;
  memories: { id: string; document: string; is_gone: boolean; title?: string; text?: string; tokens?: number; slots?: number }[];
}

export interface RecordHead {
  id: string;
  version: number;
  scope: Scope;
  created_at: string;
  key: string;
  kind?: string;
  title?: string;
  uri?: string;
  text?: string;
}

export interface Doc extends RecordHead {
  text: string;
  media_type: string;
  metadata: Record<string, unknown>;
  valid_from: string | null;
  valid_to: string | null;
}

export interface Turn extends RecordHead {
  role: string;
  name: string;
  text: string;
  said_at: string;
  ordinal: number;
  sources: string[];
}

export interface Statement extends RecordHead {
  text: string;
  subject: string;
  attribute: string;
  value: string;
  slot: string;
  said_at: string;
  sort: string;
  polarity: "holds" | "ended";
  is_member: boolean; // other values of the attribute hold beside it
  since: string;
  until: string;
  valid_from: string | null;
  valid_to: string | null;
  sources: string[];
  digester: string;
  replaced_by: string;
}

export interface Belief {
  stage: string;
  trust: number;
  uplift: number;
  sd: number;
  shown: number;
  withheld: number;
  confirmed: number;
  refuted: number;
  why: string;
}

export interface Guidance extends RecordHead {
  when: string;
  claim: string;
  what: string;
  application: string;
  family: string;
  origin: string;
  author: string;
}

export interface Standing {
  guidance: Guidance;
  cluster: string;
  world: string;
  belief: Belief;
  sentence?: string;
}

export interface Story {
  standing: Standing;
  drawn_from: { id: string; task: string; score: number | null; application: string }[];
  witnesses: { at: string; episode: string; task: string; is_confirmed: boolean; how: string; by: string }[];
  changes: { at: string; stage: string; why: string; after: string }[];
  clusters: [string, Belief][];
  worlds: [string, number, number, number][];
}

export interface Near {
  phrase: string;
  passages: [string, string][];
  facts: [string, string, string, string][];
  phrases: [string, number][];
  named: [string, string][]; // the id of a passage, and a phrase that it names
}

export interface Receipt {
  id: string;
  at: string;
  removed: { id: string; kind: string }[];
  vectors: number;
  cleared: string[];
  cleared_at: string;
  copies: { path: string }[];
}

export interface Counters {
  uses: number;
  wins: number;
  losses: number;
}

export interface Page {
  total: number;
  records: RecordHead[];
}
