import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AckService } from '../ack/ack.service';
import { DispatchStatistics } from '../dispatch/dispatch-statistics';
import { Clock } from '../notification/clock';
import { Workers } from '../workers/workers';
import { sumOf, TOTALS, type Totals } from './totals';

/** What the service counted since it started: this process and its fellow workers, also those that have ended. */
@Injectable()
export class ServiceTotals implements OnModuleInit {
  constructor(
    private readonly statistics: DispatchStatistics,
    private readonly acks: AckService,
    private readonly clock: Clock,
    private readonly workers: Workers,
  ) {}

  onModuleInit(): void {
    this.workers.onAsk(TOTALS, () => this.own());
  }

  async whole(): Promise<Totals> {
    return sumOf([this.nothing(), ...(await this.workers.gather(TOTALS, null))]);
  }

  private own(): Totals {
    const { statistics, acks } = this;
    const { sent, delivered, failed, sentToday, deliveredToday, failedToday } = statistics.totals;
    const { tracked, acked, expired, latencyMs } = acks.figures;
    return {
      ...this.nothing(),
      ...{ sent, delivered, failed, sentToday, deliveredToday, failedToday },
      toUsers: statistics.sentTo('user') + statistics.sentTo('users'),
      toAll: statistics.sentTo('broadcast'),
      toChannels: statistics.sentTo('channel') + statistics.sentTo('channels'),
      ...{ tracked, acked, expired, latencyMs },
      pendingInGroups: acks.pendingInGroups,
    };
  }

  /** Of this day, so that what ended processes counted on an earlier one is not today's. */
  private nothing(): Totals {
    return sumOf([], this.clock.now());
  }
}
