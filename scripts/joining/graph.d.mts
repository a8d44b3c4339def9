/** Where a name comes from: without a `name` it is all of a module. */
export interface Origin {
  readonly from: string;
  readonly name?: string;
}

/** The modules of a folder as they need each other. */
export class Graph {
  constructor(folder: string);
  reach(path: string): readonly { readonly path: string }[];
  origin(from: string, name: string): Origin;
  names(from: string): ReadonlySet<string>;
}
