import { Injectable, type ExecutionContext } from '@nestjs/common';
import {
  ThrottlerGuard,
  type ThrottlerLimitDetail,
  type ThrottlerModuleOptions,
  type ThrottlerStorage,
} from '@nestjs/throttler';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AraConfig } from '../config/ara-config';
import { clientAddress } from '../http/client-address';
import { rateLimited, rateLimitHeaders } from './rate-limited';
import { RateLimitService } from './rate-limit.service';

type Hit = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/** Nest's throttler counts in windows of its own; with this storage it asks the token bucket that upgrades are asked of too. */
@Injectable()
export class ConnectStorage implements ThrottlerStorage {
  constructor(private readonly limits: RateLimitService) {}

  async increment(address: string): Promise<Hit> {
    const decision = await this.limits.connect(address);
    if (decision === undefined) return { totalHits: 0, timeToExpire: 0, isBlocked: false, timeToBlockExpire: 0 };
    return {
      totalHits: Math.max(0, decision.limit - decision.remaining),
      // Handed on as the reset header, hence a time of day.
      timeToExpire: decision.resetSeconds,
      isBlocked: !decision.allowed,
      timeToBlockExpire: decision.retryAfterSeconds,
    };
  }
}

/** Limits the connection attempts of an address to a route (`@UseGuards(ConnectGuard)`): those of /ws and /sse are counted together. */
@Injectable()
export class ConnectGuard extends ThrottlerGuard {
  protected override throwThrottlingException(context: ExecutionContext, detail: ThrottlerLimitDetail): Promise<void> {
    const retryAfterSeconds = detail.timeToBlockExpire;
    const headers = rateLimitHeaders({
      allowed: false,
      limit: detail.limit,
      remaining: 0,
      resetSeconds: detail.timeToExpire,
      retryAfterSeconds,
    });
    const response = context.switchToHttp().getResponse<ServerResponse>();
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    return Promise.reject(rateLimited({ retryAfterSeconds }));
  }
}

/** One limit for all guarded routes, by address; no headers on what is allowed. */
export function connectThrottling({ rateLimit, server }: AraConfig): ThrottlerModuleOptions {
  return {
    throttlers: [{ limit: rateLimit.wsConnectionsPerMinute, ttl: 60_000 }],
    setHeaders: false,
    getTracker: (request) => {
      const { socket, headers } = request as IncomingMessage;
      return clientAddress(socket.remoteAddress, headers['x-forwarded-for'], server.trustProxy);
    },
    generateKey: (_context, address) => address,
  };
}
