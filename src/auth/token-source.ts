/** The places of a request where a token may stand, as Node gives them. */
export interface TokenCarriers {
  /** The part of the URL behind `?`, without it. */
  readonly query: string;
  readonly authorization?: string | undefined;
  /** `Sec-WebSocket-Protocol`; SSE has none. */
  readonly subprotocols?: string | undefined;
}

export type FoundToken =
  | {
      readonly kind: 'found';
      readonly token: string;
      /** To be echoed in the 101, or a browser drops the connection; undefined: the token came another way. */
      readonly subprotocol: string | undefined;
    }
  | TokenRefusal;

/** An answer in plain text, given before the upgrade. */
export interface TokenRefusal {
  readonly kind: 'refused';
  readonly status: 400 | 401;
  readonly message: string;
}

/** What a token is answered that TokenVerifier refused. */
export const INVALID_TOKEN: TokenRefusal = { kind: 'refused', status: 401, message: 'Invalid token' };

const MISSING_TOKEN: TokenRefusal = { kind: 'refused', status: 401, message: 'Missing authentication token' };
const REPEATED_TOKEN: TokenRefusal = {
  kind: 'refused',
  status: 400,
  message: 'Failed to deserialize query string: duplicate field `token`',
};

const BEARER = 'Bearer ';
const BEARER_SUBPROTOCOL = 'bearer';
const LOOKS_LIKE_JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * Finds the token: `?token=` first, then `Authorization: Bearer …`, then the subprotocols `bearer, <token>` or one that
 * looks like a JWT. The first place that has one decides: an empty `?token=` is a token, and an invalid one.
 */
export function findToken({ query, authorization, subprotocols }: TokenCarriers): FoundToken {
  const [token, ...more] = query === '' ? [] : new URLSearchParams(query).getAll('token');
  if (more.length > 0) return REPEATED_TOKEN;
  if (token !== undefined) return found(token);
  if (authorization?.startsWith(BEARER) === true) return found(authorization.slice(BEARER.length));
  return fromSubprotocols(subprotocols) ?? MISSING_TOKEN;
}

function fromSubprotocols(header: string | undefined): FoundToken | undefined {
  const offered = header?.split(',').map((name) => name.trim()) ?? [];
  const [only = ''] = offered;
  if (offered.length === 1 && LOOKS_LIKE_JWT.test(only)) return found(only, only);
  const bearer = offered.indexOf(BEARER_SUBPROTOCOL);
  const token = bearer === -1 ? undefined : offered[bearer + 1];
  return token === undefined ? undefined : found(token, BEARER_SUBPROTOCOL);
}

function found(token: string, subprotocol?: string): FoundToken {
  return { kind: 'found', token, subprotocol };
}
