import { Injectable } from '@nestjs/common';
import { timingSafeEqual } from 'node:crypto';
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
  readonly slot: Buffer;
  readonly principal: Principal;
}

/** Keys are compared in slots of one size, zeros behind the key and its length in front; what does not fit is nobody's. */
const SLOT_BYTES = 512;
const LENGTH_BYTES = 2;

/** Tells back ends by their `X-API-Key`. */
@Injectable()
export class ApiKeys {
  readonly #known: readonly KnownKey[];
  /** Where a presented key is laid out: the whole slot is written and compared each time, however short the key. */
  readonly #presented: Buffer;

  constructor({ apiKeys: { general, bound } }: AraConfig) {
    const longest = Math.max(0, ...[...general, ...bound.map(({ key }) => key)].map((key) => Buffer.byteLength(key)));
    const size = Math.max(SLOT_BYTES, LENGTH_BYTES + longest);
    this.#presented = Buffer.alloc(size);
    this.#known = [
      ...general.map((key) => knownKey(key, 'general', undefined, size)),
      ...bound.map(({ key, tenant }) => knownKey(key, `tenant:${tenant}`, tenant, size)),
    ];
  }

  /** True when no key of any kind is configured: REST is open to everybody. */
  get isOpen(): boolean {
    return this.#known.length === 0;
  }

  /**
   * Whose key this header value is (as Node gives it, one character per byte); undefined: nobody's.
   *
   * It is compared with all keys, each in constant time and over the whole slot, so that the answer's time tells nothing
   * about any key. A key that is both general and bound counts as bound.
   */
  principalOf(header: string | readonly string[] | undefined): Principal | undefined {
    if (this.isOpen) return ANYONE;
    const presented = this.#presented;
    if (typeof header !== 'string' || header.length > presented.length - LENGTH_BYTES) return undefined;
    presented.fill(0);
    presented.writeUInt16BE(header.length);
    presented.write(header, LENGTH_BYTES, 'latin1');
    let principal: Principal | undefined;
    for (const known of this.#known) {
      if (timingSafeEqual(known.slot, presented)) principal = known.principal;
    }
    return principal;
  }
}

/** A key and its successor share a name, hence a bucket: rotating keys does not double what their owner may send. */
function knownKey(key: string, name: string, tenant: TenantId | undefined, size: number): KnownKey {
  const slot = Buffer.alloc(size);
  slot.writeUInt16BE(Buffer.byteLength(key));
  slot.write(key, LENGTH_BYTES);
  return { slot, principal: { name, tenant, bucket: name } };
}
