/** Decides who is first: for deliveries that no store claims. */
export abstract class OnceClaims {
  /** True for the first caller with this key within the last 120 s, over all nodes that share the claims. */
  abstract claim(key: string): Promise<boolean>;
}
