import { Module } from '@nestjs/common';
import { Census } from './census';
import { ConnectionRegistry } from './connection-registry';
import { ConnectionMetrics } from './connection.metrics';
import { Flusher } from './flusher';
import { SlowReaders } from './slow-readers';

/** The open connections of this node and how frames reach their sockets. */
@Module({
  providers: [Census, ConnectionRegistry, ConnectionMetrics, Flusher, SlowReaders],
  exports: [Census, ConnectionRegistry, ConnectionMetrics, Flusher, SlowReaders],
})
export class ConnectionModule {}
