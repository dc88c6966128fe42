import { z } from 'zod';
import {
  AckStatsResponse,
  DetailedStatsResponse,
  ErrorResponse,
  HealthResponse,
  LivenessResponse,
  ReadinessResponse,
  StatsResponse,
} from '../rest/dto/ops.dto';
import {
  ChannelListResponse,
  ChannelResponse,
  ClusterStatusResponse,
  SubscriptionsResponse,
  TenantListResponse,
  TenantResponse,
  UserLocationResponse,
} from '../rest/dto/presence.dto';
import { SENDING, TEMPLATES } from './back-end-operations';
import type { Answer, Operation, Parameter } from './operation';

const text = (description: string): Answer => ({ description, mediaType: 'text/plain' });
const html = (description: string): Answer => ({ description, mediaType: 'text/html' });

const USER_ID: Parameter = { name: 'user_id', in: 'path', description: "The user's id", example: 'user-123' };
const presence = { method: 'GET', tag: 'Presence', access: 'key', ofOneTenant: true } as const;

const PRESENCE: readonly Operation[] = [
  {
    ...presence,
    path: '/api/v1/channels',
    id: 'listChannels',
    summary: 'Channels with a subscriber, by name',
    answers: { 200: { description: 'The channels', schema: ChannelListResponse } },
  },
  {
    ...presence,
    path: '/api/v1/channels/{name}',
    id: 'getChannel',
    summary: 'A channel',
    parameters: [
      { name: 'name', in: 'path', description: 'The name, bare or as `<tenant>:<name>`', example: 'orders' },
    ],
    answers: { 200: { description: 'The channel', schema: ChannelResponse } },
    errors: ['CHANNEL_NOT_FOUND'],
  },
  {
    ...presence,
    path: '/api/v1/users/{user_id}/subscriptions',
    id: 'getSubscriptions',
    summary: 'What a connected user has subscribed to',
    parameters: [USER_ID],
    answers: { 200: { description: "Union over the user's connections", schema: SubscriptionsResponse } },
    errors: ['USER_NOT_CONNECTED'],
  },
];

const tenants = { method: 'GET', tag: 'Tenants', access: 'key' } as const;

const TENANTS: readonly Operation[] = [
  {
    ...tenants,
    path: '/api/v1/tenants',
    id: 'listTenants',
    summary: 'Tenants with a connection',
    description: 'With a tenant, by header or key, the own one only.',
    answers: { 200: { description: 'The tenants', schema: TenantListResponse } },
  },
  {
    ...tenants,
    path: '/api/v1/tenants/{tenant_id}',
    id: 'getTenant',
    summary: 'Figures of a tenant',
    parameters: [{ name: 'tenant_id', in: 'path', description: 'The tenant', example: 'acme-corp' }],
    answers: { 200: { description: 'Its figures', schema: TenantResponse } },
    errors: ['TENANT_NOT_FOUND'],
  },
];

const statistics = { method: 'GET', tag: 'Statistics', access: 'key' } as const;

const STATISTICS: readonly Operation[] = [
  {
    ...statistics,
    path: '/stats',
    id: 'getStats',
    summary: 'Figures of this node',
    answers: { 200: { description: 'The figures', schema: StatsResponse } },
  },
  {
    ...statistics,
    path: '/api/v1/stats',
    id: 'getDetailedStats',
    summary: 'Figures of this node, in more detail',
    answers: { 200: { description: 'The figures', schema: DetailedStatsResponse } },
  },
  {
    ...statistics,
    path: '/api/v1/stats/acks',
    id: 'getAckStats',
    summary: 'Figures of acknowledgements',
    answers: { 200: { description: 'The figures, all zero while they are off', schema: AckStatsResponse } },
  },
];

const cluster = { method: 'GET', tag: 'Cluster', access: 'key' } as const;

const CLUSTER: readonly Operation[] = [
  {
    ...cluster,
    path: '/api/v1/cluster/status',
    id: 'getClusterStatus',
    summary: 'Nodes and their connections',
    answers: { 200: { description: 'A single node is a cluster of one', schema: ClusterStatusResponse } },
  },
  {
    ...cluster,
    path: '/api/v1/cluster/users/{user_id}',
    id: 'locateUser',
    summary: 'Where a user is connected',
    parameters: [USER_ID],
    answers: { 200: { description: '`found` says whether anywhere', schema: UserLocationResponse } },
  },
];

const TOKEN: Parameter = { name: 'token', in: 'query', description: 'The JWT, instead of the Authorization header' };
const refused = {
  401: text('The token is missing or invalid'),
  503: text('This node is going away'),
};

const LIVE: readonly Operation[] = [
  {
    method: 'GET',
    path: '/ws',
    tag: 'Live',
    id: 'openWebSocket',
    summary: 'Open a WebSocket',
    access: 'token',
    description: 'The frames stand in `/asyncapi.json`.',
    parameters: [TOKEN],
    answers: {
      101: { description: 'Open. A connection over a limit is told so in a frame and closed' },
      400: text('Not a proper WebSocket handshake, or two tokens'),
      403: text('A page whose origin is not allowed'),
      405: text('HEAD'),
      ...refused,
    },
    errors: ['RATE_LIMITED'],
  },
  {
    method: 'GET',
    path: '/sse',
    tag: 'Live',
    id: 'openStream',
    summary: 'Open an SSE stream',
    access: 'token',
    description: 'The events stand in `/asyncapi.json`.',
    parameters: [
      TOKEN,
      { name: 'channels', in: 'query', description: 'Channels to hear, separated by commas', example: 'orders,news' },
    ],
    answers: {
      200: { description: 'The stream', mediaType: 'text/event-stream' },
      400: text('Two tokens'),
      429: text('Over a limit of connections; over the rate limit the body is JSON'),
      ...refused,
    },
    errors: ['RATE_LIMITED'],
  },
];

const service = { method: 'GET', tag: 'Service', access: 'public' } as const;
const oneDocument = { description: 'The document', schema: z.record(z.string(), z.unknown()) };

const SERVICE: readonly Operation[] = [
  {
    ...service,
    path: '/health',
    id: 'getHealth',
    summary: 'State of the service, for people and dashboards',
    answers: { 200: { description: 'Always 200; `status` says how it is', schema: HealthResponse } },
  },
  {
    ...service,
    path: '/health/live',
    id: 'getLiveness',
    summary: 'Whether the process answers',
    answers: { 200: { description: 'It does', schema: LivenessResponse } },
  },
  {
    ...service,
    path: '/health/ready',
    id: 'getReadiness',
    summary: 'Whether to send requests here',
    answers: {
      200: { description: 'Ready', schema: ReadinessResponse },
      503: { description: 'Starting, draining, or without a required dependency', schema: ReadinessResponse },
    },
  },
  {
    ...service,
    path: '/metrics',
    id: 'getMetrics',
    summary: 'Metrics for Prometheus',
    access: 'metrics',
    description: 'On a port of its own with METRICS_PORT.',
    answers: {
      200: text('The metrics'),
      401: { description: 'METRICS_TOKEN is set and was not sent', schema: ErrorResponse },
      500: text('They could not be rendered'),
    },
  },
  {
    ...service,
    path: '/openapi.json',
    id: 'getOpenApi',
    summary: 'This document',
    answers: { 200: oneDocument },
  },
  {
    ...service,
    path: '/asyncapi.json',
    id: 'getAsyncApi',
    summary: 'WebSocket, SSE and Redis as AsyncAPI',
    answers: { 200: oneDocument },
  },
  {
    ...service,
    path: '/docs',
    id: 'browse',
    summary: 'A page to read and try this document',
    answers: { 200: html('The page') },
  },
  {
    ...service,
    path: '/docs/{file}',
    id: 'browseFile',
    summary: 'A part of that page',
    parameters: [{ name: 'file', in: 'path', description: 'Its name', example: 'messages' }],
    answers: { 200: { description: 'The part', mediaType: '*/*' } },
    errors: ['NOT_FOUND'],
  },
];

/** The whole HTTP surface. A test compares it with the routes of the running service. */
export const OPERATIONS: readonly Operation[] = [
  ...SENDING,
  ...TEMPLATES,
  ...PRESENCE,
  ...TENANTS,
  ...STATISTICS,
  ...CLUSTER,
  ...LIVE,
  ...SERVICE,
];
