import { Injectable, Logger } from '@nestjs/common';
import { AckService } from '../ack/ack.service';
import type { NotificationId, TenantId, UserId } from '../notification/ids';
import { QueueService } from '../queue/queue.service';
import { SettlementService } from './settlement.service';

/** `unanswered`: acknowledgements are off, or the store could not be reached; the client hears nothing. */
export type Acknowledged = 'acked' | 'invalid' | 'unanswered';

/** What an acknowledgement does: settles the expectation, then takes the entry out of the store. */
@Injectable()
export class AcknowledgementService {
  private readonly logger = new Logger(AcknowledgementService.name);

  constructor(
    private readonly ack: AckService,
    private readonly queue: QueueService,
    private readonly settlement: SettlementService,
  ) {}

  /** Resolves after the store has forgotten the entry, so that `acked` is never answered too early. Never rejects. */
  async acknowledge(tenant: TenantId, user: UserId, notification: NotificationId): Promise<Acknowledged> {
    if (!this.ack.isEnabled) return 'unanswered';
    try {
      const outcome = await this.ack.acknowledge({ tenant, user, notification });
      // A late one, too: the user has it. An id that was never this user's is in no stream of theirs.
      if (this.queue.isEnabled) await this.settlement.commit({ tenant, user, id: notification });
      return outcome.kind === 'acked' ? 'acked' : 'invalid';
    } catch (error) {
      this.logger.debug(
        `Could not settle an acknowledgement: ${error instanceof Error ? error.message : String(error)}`,
      );
      return 'unanswered';
    }
  }
}
