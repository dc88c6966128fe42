import { Controller, Get, Param } from '@nestjs/common';
import { PresenceService, type SessionInfo } from '../dispatch/presence.service';
import { parseUserId } from '../notification/ids';
import { ATTRIBUTE, SPAN } from '../telemetry/span-names';
import { Tracer } from '../telemetry/tracer';
import type { ClusterStatusResponse, UserLocationResponse } from './dto/presence.dto';
import { Exchange } from './exchange';
import { Knock } from './exchange.decorator';

/** Nodes and where users are connected. A single node is a cluster of one. */
@Controller('api/v1/cluster')
export class ClusterController {
  constructor(
    private readonly presence: PresenceService,
    private readonly tracer: Tracer,
  ) {}

  @Get('status')
  status(@Knock() { traceparent }: Exchange): Promise<ClusterStatusResponse> {
    return this.tracer.trace(SPAN.clusterStatus, () => this.#status(), traceparent);
  }

  @Get('users/:user_id')
  user(@Knock() exchange: Exchange, @Param('user_id') id: string): Promise<UserLocationResponse> {
    return this.tracer.trace(
      SPAN.clusterUserLocation,
      (span) => {
        span.set(ATTRIBUTE.userId, id);
        return this.#locate(exchange, id);
      },
      exchange.traceparent,
    );
  }

  async #status(): Promise<ClusterStatusResponse> {
    const { enabled, node, nodes, connections, users } = await this.presence.cluster();
    const local = this.presence.local();
    return {
      enabled,
      mode: enabled ? 'distributed' : 'standalone',
      server_id: node,
      local_connections: local.connections,
      local_users: local.users,
      ...(enabled && { cluster_connections: connections, cluster_users: users }),
      node_id: node,
      nodes: [...nodes],
      healthy_nodes: nodes.length,
      total_connections: connections,
    };
  }

  async #locate({ tenant }: Exchange, id: string): Promise<UserLocationResponse> {
    const user = parseUserId(id);
    const sessions = user === undefined ? [] : await this.presence.sessions(tenant, user);
    const nodes = [...new Set(sessions.map(({ node }) => node))];
    return {
      user_id: id,
      found: sessions.length > 0,
      sessions: sessions.map(toResponse),
      node_id: nodes[0] ?? null,
      nodes,
      connections: sessions.length,
    };
  }
}

function toResponse({
  connection,
  node,
  connectedAt,
  channels,
}: SessionInfo): UserLocationResponse['sessions'][number] {
  return { connection_id: connection, server_id: node, connected_at: connectedAt, channels: [...channels] };
}
