import { Injectable, Logger } from '@nestjs/common';
import { AckService } from '../ack/ack.service';
import type { NotificationId, TenantId, UserId } from '../notification/ids';
import { QueueService } from '../queue/queue.service';
import { SettlementService } from './settlement.service';

/** `unanswered`: acknowledgements are off, or the store could not be reached; the client hears nothing. */
export type Acknowledged = 'acked' | 'invalid' | 'unanswered';

/** What an acknowledgement does: settles the expectation and takes the entry out of the store. */
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
    // Whatever becomes of the expectation, the user has it: a late one commits, too, and so does one that comes while the
    // store is away, later. An id that was never this user's is in no stream of theirs.
    const committing = this.queue.isEnabled ? this.settlement.commit({ tenant, user, id: notification }) : undefined;
    try {
      const [outcome] = await Promise.all([this.ack.acknowledge({ tenant, user, notification }), committing]);
      return outcome.kind === 'acked' ? 'acked' : 'invalid';
    } catch (error) {
      this.logger.debug({ msg: 'Could not settle an acknowledgement', notification_id: notification, err: error });
      return 'unanswered';
    }
  }
}
