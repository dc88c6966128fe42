import type { TenantId, UserId } from '../notification/ids';
import type { ChannelPattern } from './channel-access';

/** Who a token says its bearer is. */
export interface Identity {
  readonly user: UserId;
  /** The default tenant while tenants are off, whatever the token says. */
  readonly tenant: TenantId;
  readonly roles: readonly string[];
  /** Channels that the bearer may hear; undefined: any. */
  readonly channels: readonly ChannelPattern[] | undefined;
  /** The token's `exp` in milliseconds since 1970; it is accepted until `exp` + leeway. */
  readonly expiresAt: number;
  /** The token's `iat`, likewise. */
  readonly issuedAt: number | undefined;
  readonly jti: string | undefined;
}
