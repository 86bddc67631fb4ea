// What stays as it is while one looks at something else.
import type { Recall } from "../lib/types";

export const kept = $state({ query: "", mode: "hybrid", recall: null as Recall | null });
