import { Injectable } from '@nestjs/common';
import { createHash, timingSafeEqual } from 'node:crypto';
import { AraConfig } from '../config/ara-config';
import type { TenantId } from '../notification/ids';

/** The back end behind a REST request. */
export interface Principal {
  /** For logs; no secret. */
  readonly name: string;
  /** The only tenant that it may act for; undefined: any. */
  readonly tenant: TenantId | undefined;
  /** What its requests are counted under, the same on every node and no secret; undefined: its address. */
  readonly bucket: string | undefined;
}

/** Everybody, while no key is configured. */
const ANYONE: Principal = { name: 'anyone', tenant: undefined, bucket: undefined };

interface KnownKey {
  readonly digest: Buffer;
  readonly principal: Principal;
}

/** Tells back ends by their `X-API-Key`. */
@Injectable()
export class ApiKeys {
  readonly #known: readonly KnownKey[];

  constructor({ apiKeys: { general, bound } }: AraConfig) {
    this.#known = [
      ...general.map((key) => knownKey(key, 'general', undefined)),
      ...bound.map(({ key, tenant }) => knownKey(key, `tenant:${tenant}`, tenant)),
    ];
  }

  /** True when no key of any kind is configured: REST is open to everybody. */
  get isOpen(): boolean {
    return this.#known.length === 0;
  }

  /**
   * Whose key this header value is (as Node gives it, one character per byte); undefined: nobody's.
   *
   * Digests of one length are compared, all of them, each in constant time, so that the answer's time tells nothing
   * about any key. A key that is both general and bound counts as bound.
   */
  principalOf(header: string | readonly string[] | undefined): Principal | undefined {
    if (this.isOpen) return ANYONE;
    if (typeof header !== 'string') return undefined;
    const presented = digestOf(Buffer.from(header, 'latin1'));
    let principal: Principal | undefined;
    for (const known of this.#known) {
      if (timingSafeEqual(known.digest, presented)) principal = known.principal;
    }
    return principal;
  }
}

/** A key and its successor share a name, hence a bucket: rotating keys does not double what their owner may send. */
function knownKey(key: string, name: string, tenant: TenantId | undefined): KnownKey {
  return { digest: digestOf(Buffer.from(key)), principal: { name, tenant, bucket: name } };
}

function digestOf(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
