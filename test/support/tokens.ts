import { generateKeyPairSync } from 'node:crypto';
import jwt from 'jsonwebtoken';

export const TEST_JWT_SECRET = 'a-secret-of-the-tests-that-is-long-enough';
export const TEST_API_KEY = 'an-api-key-of-the-tests';

/** Claims beside `sub`. One that is `undefined` is left out, also `exp`, which otherwise lies an hour ahead. */
export interface TestClaims {
  readonly exp?: number | undefined;
  readonly roles?: unknown;
  readonly tenant_id?: unknown;
  readonly channels?: unknown;
  readonly [claim: string]: unknown;
}

/** Now plus `seconds`, as `exp` and `iat` count: seconds since 1970. */
export function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}

/** An HS256 token. */
export function tokenFor(sub: unknown, claims: TestClaims = {}, secret: string = TEST_JWT_SECRET): string {
  return sign(sub, claims, secret, 'HS256');
}

/** A fresh key pair and the tokens it signs. */
export class TestKeyPair {
  /** What JWT_PUBLICKEY names a file of. */
  readonly publicPem: string;
  readonly #privatePem: string;

  constructor(readonly algorithm: 'RS256' | 'ES256') {
    const { publicKey, privateKey } =
      algorithm === 'RS256'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    this.#privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  }

  tokenFor(sub: unknown, claims: TestClaims = {}): string {
    return sign(sub, claims, this.#privatePem, this.algorithm);
  }
}

function sign(sub: unknown, claims: TestClaims, key: string, algorithm: jwt.Algorithm): string {
  // As text, because the library refuses to sign the malformed claims that tests need; JSON leaves `undefined` out.
  return jwt.sign(JSON.stringify({ sub, exp: inSeconds(3600), ...claims }), key, {
    algorithm,
    header: { alg: algorithm, typ: 'JWT' },
  });
}
