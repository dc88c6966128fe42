import { Injectable, Logger } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import { DispatcherService } from '../dispatch/dispatcher.service';
import { errorAnswer } from '../http/error-body';
import { AraError } from '../notification/ara-error';
import { Clock } from '../notification/clock';
import { type Eventual, whenThere } from '../notification/eventual';
import { IdSource } from '../notification/ids';
import type { Target } from '../notification/target';
import { timestamp } from '../protocol/timestamp';
import { ATTRIBUTE, SPAN } from '../telemetry/span-names';
import { Tracer, type Span } from '../telemetry/tracer';
import { runBatch, summarize, type BatchDoor, type BatchItem, type BatchOptions } from './batch-runner';
import { BATCH_ITEM, BatchEnvelope, MAX_ITEMS, type BatchResponse, type TargetDto } from './dto/batch.dto';
import { chosen } from './dto/content.dto';
import { validate } from './dto/validate';
import type { Exchange } from './exchange';
import { HttpMetrics } from './http.metrics';
import { plainBatch } from './plain-request';
import { channelsTarget, SendingService, usersTarget } from './sending.service';

/** Many notifications in one request. What is wrong with the form of any item refuses them all; everything else is the item's own. */
@Injectable()
export class BatchService {
  readonly #logger = new Logger(BatchService.name);
  readonly #door: BatchDoor;

  constructor(
    dispatcher: DispatcherService,
    private readonly sending: SendingService,
    private readonly ids: IdSource,
    private readonly clock: Clock,
    private readonly tracer: Tracer,
    private readonly metrics: HttpMetrics,
    private readonly config: AraConfig,
  ) {
    this.#door = {
      dispatch: (delivery) => dispatcher.dispatch(delivery),
      dispatchAtomically: (deliveries) => dispatcher.dispatchAtomically(deliveries),
      isDeliverable: (tenant, target) => dispatcher.isDeliverable(tenant, target),
      errorText: (error) => this.#errorText(error),
    };
  }

  send(exchange: Exchange): Eventual<BatchResponse> {
    return this.tracer.trace(SPAN.batchSend, (span) => this.#send(exchange, span), exchange.traceparent);
  }

  #send(exchange: Exchange, span: Span): Eventual<BatchResponse> {
    const { items, options } = this.#plain(exchange, span) ?? this.#understood(exchange, span);
    span
      .set(ATTRIBUTE.batchSize, items.length)
      .set(ATTRIBUTE.stopOnError, options.stopOnError)
      .set(ATTRIBUTE.deduplicate, options.deduplicate);
    this.metrics.countBatch(items.length);
    return whenThere(runBatch(items, options, this.#door), (results) => {
      const summary = summarize(results);
      return {
        batch_id: `batch-${this.ids.notificationId()}`,
        results,
        summary,
        successful: summary.succeeded,
        failed: summary.failed,
        timestamp: timestamp(this.clock.now()),
      };
    });
  }

  #plain(exchange: Exchange, span: Span): Batch | undefined {
    const batch = plainBatch(exchange.requiredBytes);
    if (batch === undefined) return undefined;
    const items = batch.items.map((asked) => () => this.sending.deliveryOf(exchange, asked, span));
    return { items, options: batch.options };
  }

  #understood(exchange: Exchange, span: Span): Batch {
    const body = exchange.requiredBody;
    const envelope = validate(BatchEnvelope, body.value);
    body.member('options').requireUniqueKeys();
    const options = optionsOf(envelope);
    const items = this.#itemsOf(exchange, span);
    if (items.length === 0) throw new AraError('VALIDATION_ERROR', 'Batch cannot be empty');
    if (items.length > MAX_ITEMS) {
      throw new AraError('VALIDATION_ERROR', `Batch size ${items.length} exceeds maximum of ${MAX_ITEMS}`);
    }
    return { items, options };
  }

  #itemsOf(exchange: Exchange, span: Span): BatchItem[] {
    return exchange.requiredBody
      .member('notifications')
      .elements()
      .map((body, index) => {
        body.requireUniqueKeys().member('target').requireUniqueKeys();
        const dto = validate(chosen(BATCH_ITEM, body.value), body.value, `notifications[${index}]`);
        return () => {
          const asked = this.sending.asked(exchange, body, dto, targetOf(dto.target));
          return this.sending.deliveryOf(exchange, asked, span);
        };
      });
  }

  #errorText(error: unknown): string {
    if (error instanceof AraError && error.reason === 'QUEUE_UNAVAILABLE') return 'Queue unavailable';
    const { status, body } = errorAnswer(error, this.config.production);
    if (status === 500) this.#logger.error('A batch item failed', error instanceof Error ? error.stack : undefined);
    return body.error.message;
  }
}

interface Batch {
  readonly items: readonly BatchItem[];
  readonly options: BatchOptions;
}

interface Flags {
  readonly stop_on_error?: boolean | null | undefined;
  readonly deduplicate?: boolean | null | undefined;
  readonly atomic?: boolean | null | undefined;
}

function optionsOf({ options, atomic }: ReturnType<typeof BatchEnvelope.parse>): BatchOptions {
  const flags: Flags = options === null || options === undefined || Array.isArray(options) ? {} : options;
  return {
    stopOnError: flags.stop_on_error ?? false,
    deduplicate: flags.deduplicate ?? false,
    atomic: (atomic ?? false) || (flags.atomic ?? false),
  };
}

function targetOf(dto: TargetDto): Target {
  switch (dto.type) {
    case 'user':
      return { kind: 'user', user: dto.value };
    case 'users':
      return usersTarget(dto.value);
    case 'broadcast':
      return { kind: 'broadcast' };
    case 'channel':
      return { kind: 'channel', channel: dto.value };
    case 'channels':
      return channelsTarget(dto.value);
  }
}
