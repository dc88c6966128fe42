export interface Route {
  /** As it was registered, `/api/v1/channels/:name`. */
  readonly pattern: string;
  /** Verbs in upper case; HEAD wherever GET is. */
  readonly methods: ReadonlySet<string>;
}

/** What Express keeps of one registration: its own matcher decides, so this table and Express cannot disagree. */
export interface RouteLayer {
  readonly route?: { readonly path: unknown; readonly methods: Readonly<Record<string, boolean>> } | undefined;
  match(path: string): boolean;
}

interface Pattern extends Route {
  readonly methods: Set<string>;
  readonly matches: (path: string) => boolean;
}

/** Which paths exist, and with which verbs. Express answers 404 to a wrong verb; with this table it becomes a 405 with `Allow`. */
export class RouteTable {
  readonly #exact = new Map<string, Pattern>();
  readonly #patterns: Pattern[] = [];

  constructor(layers: Iterable<RouteLayer>) {
    for (const layer of layers) {
      const { route } = layer;
      // Without a route it is a middleware; so is what answers to every verb.
      if (route === undefined || typeof route.path !== 'string' || route.methods['_all'] === true) continue;
      const pattern = this.#patternOf(route.path, layer);
      for (const verb of Object.keys(route.methods)) pattern.methods.add(verb.toUpperCase());
      if (pattern.methods.has('GET')) pattern.methods.add('HEAD');
    }
  }

  /** O(1) for fixed paths, O(patterns) for those with parameters. */
  find(path: string): Route | undefined {
    return this.#exact.get(path) ?? this.#patterns.find((pattern) => pattern.matches(path));
  }

  /** Every route, in order of registration. */
  get routes(): readonly Route[] {
    return [...this.#exact.values(), ...this.#patterns];
  }

  #patternOf(path: string, layer: RouteLayer): Pattern {
    const known = this.#exact.get(path) ?? this.#patterns.find((pattern) => pattern.pattern === path);
    if (known !== undefined) return known;
    const pattern = { pattern: path, methods: new Set<string>(), matches: (raw: string) => matches(layer, raw) };
    if (/[:*{]/.test(path)) this.#patterns.push(pattern);
    else this.#exact.set(path, pattern);
    return pattern;
  }
}

/** A path with broken percent-encoding is a match: Express then refuses it as a bad request. */
function matches(layer: RouteLayer, path: string): boolean {
  try {
    return layer.match(path);
  } catch {
    return true;
  }
}
