import {
  ClusterBus,
  NOTHING_REACHED,
  type Reach,
  type RelayedDelivery,
  type RelayReport,
} from '../../src/cluster/cluster-bus';
import type { Eventual } from '../../src/notification/eventual';
import type { AnswerOf, QuestionOf, Subject } from '../../src/cluster/cluster-questions';

/** The bus between two nodes in one process: hands over what is relayed and asked, object for object. */
export class PairedBus extends ClusterBus {
  private readonly answers = new Map<Subject, (question: never) => unknown>();
  private deliver: ((delivery: RelayedDelivery) => Eventual<Reach>) | undefined;
  private other: PairedBus | undefined;

  static pair(): readonly [PairedBus, PairedBus] {
    const [one, other] = [new PairedBus(), new PairedBus()];
    one.other = other;
    other.other = one;
    return [one, other];
  }

  async relay(delivery: RelayedDelivery): Promise<RelayReport> {
    return { reach: (await this.other?.deliver?.(delivery)) ?? NOTHING_REACHED, complete: true };
  }

  onRelay(deliver: (delivery: RelayedDelivery) => Eventual<Reach>): void {
    this.deliver = deliver;
  }

  retain(): Promise<void> {
    return Promise.resolve();
  }

  release(): void {
    // Everything is handed over anyway.
  }

  ask<K extends Subject>(what: K, question: QuestionOf<K>): Promise<readonly AnswerOf<K>[]> {
    const answer = this.other?.answers.get(what) as ((question: QuestionOf<K>) => AnswerOf<K>) | undefined;
    return Promise.resolve(answer === undefined ? [] : [answer(question)]);
  }

  onAsk<K extends Subject>(what: K, answer: (question: QuestionOf<K>) => AnswerOf<K>): void {
    this.answers.set(what, answer);
  }
}
