import { Injectable } from '@nestjs/common';
import { verify, type JwtPayload } from 'jsonwebtoken';
import { isUtf8 } from 'node:buffer';
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { AraConfig, type JwtConfig } from '../config/ara-config';
import { Clock } from '../notification/clock';
import { DEFAULT_TENANT, parseTenantId, parseUserId, type TenantId } from '../notification/ids';
import { members } from '../protocol/raw-json';
import { parseChannelPattern } from './channel-access';
import type { Identity } from './identity';

type Claims = Readonly<Record<string, unknown>>;

/** The last second that a Date can hold. Beyond it a number is no time. */
const LAST_SECOND = 8_640_000_000_000;

/** Says who the bearer of a JWT is. Nothing that a token holds can make it throw. */
@Injectable()
export class TokenVerifier {
  readonly #jwt: JwtConfig;
  /** Made once: the library takes a string too, but parses it anew for every token, at fifty times the price. */
  readonly #keys: readonly KeyObject[];
  readonly #tenancy: boolean;

  constructor(
    config: AraConfig,
    private readonly clock: Clock,
  ) {
    this.#jwt = config.jwt;
    this.#keys = config.jwt.keys.map((key) =>
      config.jwt.algorithm === 'HS256' ? createSecretKey(Buffer.from(key)) : createPublicKey(key),
    );
    this.#tenancy = config.tenant.enabled;
  }

  /** The identity that a valid token states; undefined for every other text. Some 10 µs with HS256. */
  verify(token: string): Identity | undefined {
    const claims = this.#signedClaims(token);
    return claims === undefined ? undefined : this.#identityOf(claims);
  }

  #signedClaims(token: string): Claims | undefined {
    for (const key of this.#keys) {
      try {
        const { header, payload } = verify(token, key, {
          algorithms: [this.#jwt.algorithm],
          complete: true,
          // Expiry is judged here, by the injected clock; "not before" is not judged at all.
          ignoreExpiration: true,
          ignoreNotBefore: true,
        });
        return isUnderstood(header) && isUnambiguous(token, header, payload) ? payload : undefined;
      } catch {
        // Not signed with this key, or not a token at all.
      }
    }
    return undefined;
  }

  #identityOf(claims: Claims): Identity | undefined {
    const { sub, exp, iat, jti, roles = [], channels } = claims;
    const user = typeof sub === 'string' ? parseUserId(sub) : undefined;
    const tenant = this.#tenantOf(claims);
    if (user === undefined || tenant === undefined) return undefined;
    if (!isTime(exp) || this.clock.now() >= (exp + this.#jwt.leewaySeconds) * 1000) return undefined;
    if (iat !== undefined && !isTime(iat)) return undefined;
    if (!isStrings(roles) || (channels !== undefined && !isStrings(channels))) return undefined;
    if (!this.#isAddressedToUs(claims)) return undefined;
    return {
      user,
      tenant,
      roles,
      channels: channels?.map(parseChannelPattern),
      expiresAt: exp * 1000,
      issuedAt: iat === undefined ? undefined : iat * 1000,
      jti: typeof jti === 'string' ? jti : undefined,
    };
  }

  #tenantOf({ tenant_id: tenant }: Claims): TenantId | undefined {
    if (!this.#tenancy || tenant === undefined || tenant === null) return DEFAULT_TENANT;
    return typeof tenant === 'string' ? parseTenantId(tenant) : undefined;
  }

  /** A claim that is there must match what is configured; a missing one is no mismatch. */
  #isAddressedToUs({ iss, aud }: Claims): boolean {
    const { issuer, audience } = this.#jwt;
    if (issuer !== undefined && iss !== undefined && iss !== issuer) return false;
    if (audience === undefined || aud === undefined) return true;
    return Array.isArray(aud) ? aud.includes(audience) : aud === audience;
  }
}

/** A header may demand an extension (`crit`) or change what was signed (`b64`); none is supported here, and the library looks at neither. */
function isUnderstood(header: object): boolean {
  return !('crit' in header) && !('b64' in header);
}

/**
 * Whether every reader of this token would see the same: one spelling of the signature, text that is UTF-8, no member
 * named twice. The library takes the last of two claims; whoever issued the token may have looked at the first.
 */
function isUnambiguous(token: string, header: object, payload: JwtPayload | string): payload is JwtPayload {
  const [head = '', body = '', signature = ''] = token.split('.');
  return (
    Buffer.from(signature, 'base64url').toString('base64url') === signature &&
    holdsOneObject(head, header) &&
    holdsOneObject(body, payload)
  );
}

function holdsOneObject(part: string, parsed: unknown): boolean {
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return false;
  const bytes = Buffer.from(part, 'base64url');
  return isUtf8(bytes) && members(bytes.toString()).length === Object.keys(parsed).length;
}

/** Seconds since 1970; some issuers write fractions. */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= LAST_SECOND;
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
