import { isUtf8 } from 'node:buffer';
import type { TenantConfig } from '../config/ara-config';
import { AraError } from '../notification/ara-error';
import { DEFAULT_TENANT, parseTenantId, type TenantId } from '../notification/ids';

/** What a REST request says about its tenant. */
export interface TenantClaim {
  /** The tenant that the API key is bound to; undefined: the key may name any. */
  readonly bound: TenantId | undefined;
  /** `X-Tenant-ID` as Node gives it: one character per byte. */
  readonly header: string | readonly string[] | undefined;
}

/**
 * The tenant of a request to a route that works on one tenant's data.
 *
 * Throws AraError: INVALID_TENANT for a malformed header, TENANT_ACCESS_DENIED when it names another tenant than the
 * key's, TENANT_REQUIRED when neither header nor key names one and the configuration insists.
 */
export function requiredTenant(claim: TenantClaim, config: TenantConfig): TenantId {
  const tenant = optionalTenant(claim, config);
  if (tenant !== undefined) return tenant;
  if (config.requireHeader) throw new AraError('TENANT_REQUIRED', 'The X-Tenant-ID header is required');
  return DEFAULT_TENANT;
}

/**
 * The tenant that a request confines itself to; undefined: it looks at all of them. For routes that also answer
 * questions about the whole service. With tenants off, everybody is in the default tenant and the header is not read.
 *
 * Throws AraError: INVALID_TENANT, TENANT_ACCESS_DENIED, as above.
 */
export function optionalTenant({ bound, header }: TenantClaim, config: TenantConfig): TenantId | undefined {
  if (!config.enabled) return DEFAULT_TENANT;
  if (header === undefined) return bound;
  const named = parseTenantHeader(header.toString());
  if (named === undefined) {
    throw new AraError(
      'INVALID_TENANT',
      'X-Tenant-ID must be 1 to 64 bytes of UTF-8: letters, digits, "-", "_", "." only',
    );
  }
  if (bound !== undefined && named !== bound) {
    throw new AraError('TENANT_ACCESS_DENIED', 'This API key belongs to another tenant');
  }
  return named;
}

/**
 * The name of a channel or template in a path, which may come bare, as `<tenant>:<name>` or as `tenant-<tenant>:<name>`
 * with the caller's own tenant. The default tenant's names have no such form. Not for user ids: they may hold a colon.
 */
export function bareName(tenant: TenantId, pathName: string): string {
  if (tenant === DEFAULT_TENANT) return pathName;
  for (const prefix of [`${tenant}:`, `tenant-${tenant}:`]) {
    if (pathName.startsWith(prefix)) return pathName.slice(prefix.length);
  }
  return pathName;
}

function parseTenantHeader(header: string): TenantId | undefined {
  const bytes = Buffer.from(header, 'latin1');
  return isUtf8(bytes) ? parseTenantId(bytes.toString().trim()) : undefined;
}
