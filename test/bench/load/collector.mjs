/** A collector of traces that throws them away. */
import { Server, ServerCredentials } from '@grpc/grpc-js';

const bytes = (value) => value;
const server = new Server();
server.addService(
  {
    Export: {
      path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
      requestStream: false,
      responseStream: false,
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    },
  },
  { Export: (_call, answer) => answer(null, Buffer.alloc(0)) },
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.send({ port });
});
// Ends with whoever started it.
process.on('message', () => undefined);
