import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { AckModule } from '../ack/ack.module';
import { AuthModule } from '../auth/auth.module';
import { ConnectionModule } from '../connection/connection.module';
import { DispatchModule } from '../dispatch/dispatch.module';
import { HttpModule } from '../http/http.module';
import { PostgresModule } from '../postgres/postgres.module';
import { QueueModule } from '../queue/queue.module';
import { RateLimitModule } from '../rate-limit/rate-limit.module';
import { RedisHaModule } from '../redis-ha/redis-ha.module';
import { TemplateModule } from '../template/template.module';
import { Admission } from './admission';
import { BatchService } from './batch.service';
import { ChannelsController } from './channels.controller';
import { ClusterController } from './cluster.controller';
import { ContentResolver } from './content-resolver';
import { FastDoor } from './fast-door';
import { FrontDoor } from './front-door';
import { HealthController } from './health.controller';
import { HttpMetrics } from './http.metrics';
import { NodeStatus } from './node-status';
import { NotificationsController } from './notifications.controller';
import { SendingService } from './sending.service';
import { ServiceStatus } from './service-status';
import { ServiceTotals } from './service-totals';
import { StatsController } from './stats.controller';
import { TemplatesController } from './templates.controller';
import { TenantsController } from './tenants.controller';

/** Everything that a back end or an operator asks over HTTP. */
@Module({
  imports: [
    AckModule,
    AuthModule,
    ConnectionModule,
    DispatchModule,
    HttpModule,
    PostgresModule,
    QueueModule,
    RateLimitModule,
    RedisHaModule,
    TemplateModule,
    // Its log would repeat, as an error, every answer that says "not ready".
    TerminusModule.forRoot({ logger: false }),
  ],
  controllers: [
    NotificationsController,
    ChannelsController,
    TemplatesController,
    TenantsController,
    ClusterController,
    HealthController,
    StatsController,
  ],
  providers: [
    Admission,
    BatchService,
    ContentResolver,
    FastDoor,
    FrontDoor,
    HttpMetrics,
    SendingService,
    ServiceTotals,
    { provide: ServiceStatus, useClass: NodeStatus },
  ],
})
export class RestModule {}
