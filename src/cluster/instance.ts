import { randomBytes } from 'node:crypto';
import { type Brand, type NodeId, nodeId } from '../notification/ids';

/** One life of a node: the same node is another instance after a restart, and what it left behind is a dead one's. */
export type Instance = Brand<string, 'Instance'>;

export function newInstance(node: NodeId): Instance {
  return `${node}~${randomBytes(4).toString('hex')}` as Instance;
}

export function nodeOf(instance: Instance): NodeId {
  return nodeId(instance.slice(0, instance.lastIndexOf('~')));
}
