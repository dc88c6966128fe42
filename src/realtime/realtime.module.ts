import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module';
import { ClusterModule } from '../cluster/cluster.module';
import { ConnectionModule } from '../connection/connection.module';
import { DispatchModule } from '../dispatch/dispatch.module';
import { RateLimitModule } from '../rate-limit/rate-limit.module';
import { TenantModule } from '../tenant/tenant.module';
import { ClientCommands } from './client-commands';
import { ClientSpans } from './client-spans';
import { DrainService } from './drain.service';
import { Handshake } from './handshake';
import { HeartbeatService } from './heartbeat.service';
import { RealtimeGateway } from './realtime.gateway';
import { SessionService } from './session.service';
import { SseController } from './sse.controller';
import { TokenExpiryService } from './token-expiry.service';
import { WsUpgrade } from './ws-upgrade';

/** WebSocket and SSE. */
@Module({
  imports: [AuthModule, ClusterModule, ConnectionModule, DispatchModule, RateLimitModule, TenantModule],
  controllers: [SseController],
  providers: [
    ClientCommands,
    ClientSpans,
    DrainService,
    Handshake,
    HeartbeatService,
    RealtimeGateway,
    SessionService,
    TokenExpiryService,
    WsUpgrade,
  ],
})
export class RealtimeModule {}
