/** Every span that the service makes; docs/observability.md tells when, under which parent and with which attributes. */
export const SPAN = {
  sendNotification: 'http.send_notification',
  sendToUsers: 'http.send_to_users',
  broadcast: 'http.broadcast',
  channelNotification: 'http.channel_notification',
  multiChannelNotification: 'http.multi_channel_notification',
  batchSend: 'http.batch_send',
  createTemplate: 'http.create_template',
  listTemplates: 'http.list_templates',
  getTemplate: 'http.get_template',
  updateTemplate: 'http.update_template',
  deleteTemplate: 'http.delete_template',
  listTenants: 'http.list_tenants',
  getTenantStats: 'http.get_tenant_stats',
  clusterStatus: 'http.cluster_status',
  clusterUserLocation: 'http.cluster_user_location',
  dispatch: 'dispatcher.dispatch',
  dispatchToUser: 'dispatcher.send_to_user',
  dispatchToUsers: 'dispatcher.send_to_users',
  dispatchToChannel: 'dispatcher.send_to_channel',
  dispatchToChannels: 'dispatcher.send_to_channels',
  dispatchBroadcast: 'dispatcher.broadcast',
  wsUpgrade: 'ws.upgrade',
  wsConnection: 'ws.connection',
  wsMessage: 'ws.message',
  wsSubscribe: 'ws.subscribe',
  wsUnsubscribe: 'ws.unsubscribe',
  wsAck: 'ws.ack',
  sseConnect: 'sse.connect',
  gracefulShutdown: 'graceful_shutdown',
} as const;

export type SpanName = (typeof SPAN)[keyof typeof SPAN];

/** Every attribute of those spans. Never a payload, a token or a key. */
export const ATTRIBUTE = {
  audience: 'audience',
  batchSize: 'batch_size',
  channel: 'channel',
  channelCount: 'channel_count',
  connectionId: 'connection_id',
  deduplicate: 'deduplicate',
  eventType: 'event_type',
  hasQueryToken: 'has_query_token',
  messageType: 'message_type',
  notificationId: 'notification_id',
  priority: 'priority',
  stopOnError: 'stop_on_error',
  targetType: 'target_type',
  targetUserId: 'target_user_id',
  templateId: 'template_id',
  totalConnections: 'total_connections',
  userCount: 'user_count',
  userId: 'user_id',
  /** Class of the error that ended the work. */
  errorType: 'error.type',
} as const;

export type AttributeName = (typeof ATTRIBUTE)[keyof typeof ATTRIBUTE];
