import { Module } from '@nestjs/common';
import { AckModule } from '../ack/ack.module';
import { ClusterModule } from '../cluster/cluster.module';
import { ConnectionModule } from '../connection/connection.module';
import { QueueModule } from '../queue/queue.module';
import { AcknowledgementService } from './acknowledgement.service';
import { DispatchSpans } from './dispatch-spans';
import { DispatchStatistics } from './dispatch-statistics';
import { DispatcherService } from './dispatcher.service';
import { IntakeService } from './intake.service';
import { LocalDelivery } from './local-delivery';
import { NodeDelivery } from './node-delivery';
import { PresenceService } from './presence.service';
import { Recipients } from './recipients';
import { ReplayService } from './replay.service';
import { SettlementService } from './settlement.service';

/** The engine: one door in, every connection out. */
@Module({
  imports: [AckModule, ClusterModule, ConnectionModule, QueueModule],
  providers: [
    AcknowledgementService,
    DispatcherService,
    DispatchSpans,
    DispatchStatistics,
    IntakeService,
    LocalDelivery,
    NodeDelivery,
    PresenceService,
    Recipients,
    ReplayService,
    SettlementService,
  ],
  exports: [AcknowledgementService, DispatcherService, DispatchStatistics, PresenceService, ReplayService],
})
export class DispatchModule {}
