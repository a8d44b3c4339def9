import * as tables from './apis/index.js';
import type { Api } from './schema/index.js';

/** Every API spoken here, by its key. */
export const APIS: ReadonlyMap<number, Api> = new Map(
  (Object.values(tables) as Api[]).toSorted((a, b) => a.key - b.key).map((api) => [api.key, api]),
);
