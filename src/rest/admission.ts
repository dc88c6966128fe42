import { Injectable } from '@nestjs/common';
import { ApiKeys, type Principal } from '../auth/api-key';
import { AraConfig } from '../config/ara-config';
import { clientAddress } from '../http/client-address';
import { AraError } from '../notification/ara-error';
import { type Eventual, whenThere } from '../notification/eventual';
import { allowanceHeaders, rateLimited } from '../rate-limit/rate-limited';
import { RateLimitService } from '../rate-limit/rate-limit.service';
import type { Decision } from '../rate-limit/token-bucket';
import { optionalTenant, requiredTenant } from '../tenant/tenant-context';
import { needsTenant } from './access';
import type { Exchange } from './exchange';

/**
 * Decides from the headers alone whether a request may come in, and for which tenant: rate limit, API key, tenant, in
 * this order, so that a client over its limit is told so even with a bad key, and a bad key before anything of the body.
 */
@Injectable()
export class Admission {
  constructor(
    private readonly keys: ApiKeys,
    private readonly limits: RateLimitService,
    private readonly config: AraConfig,
  ) {}

  /** Sets the exchange's tenant and rate-limit headers. Throws AraError. A promise only when the limiter is remote. */
  admit(exchange: Exchange): Eventual<void> {
    const { headers, socket } = exchange.request;
    const principal = this.keys.principalOf(headers['x-api-key']);
    const bucket = principal?.bucket;
    // Who is known by a key is not counted by an address.
    const address =
      bucket === undefined
        ? clientAddress(socket.remoteAddress, headers['x-forwarded-for'], this.config.server.trustProxy)
        : '';
    return whenThere(this.limits.request(bucket, address), (decision) => {
      this.#decide(exchange, principal, decision);
    });
  }

  #decide(exchange: Exchange, principal: Principal | undefined, decision: Decision | undefined): void {
    if (decision !== undefined) {
      // How long to wait stands in the error, whose answer makes the header of it.
      exchange.headers.push(...allowanceHeaders(decision));
      if (!decision.allowed) throw rateLimited(decision);
    }
    if (principal === undefined) throw new AraError('UNAUTHORIZED', 'Invalid or missing API key');
    const claim = { bound: principal.tenant, header: exchange.request.headers['x-tenant-id'] };
    const tenantOf = needsTenant(exchange.path) ? requiredTenant : optionalTenant;
    exchange.tenant = tenantOf(claim, this.config.tenant);
  }
}
