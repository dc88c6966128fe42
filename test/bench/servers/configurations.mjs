/** The other products' configurations: what their documentation starts with, on one port, for many clients. */

/** Subscribers by WebSocket on /ws, one channel for all, one process. Everything is written to `folder`. */
export function nchanConfig(module, port, folder) {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ');
  return `load_module ${module};
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr error;
events { worker_connections 15000; }
http {
  access_log off;
  ${temporary}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /ready { return 200 'ready'; }
    location = /ws { nchan_subscriber websocket; nchan_channel_id all; }
    location = /pub { nchan_publisher http; nchan_channel_id all; }
  }
}
`;
}

/** Without tokens and keys, so that it has less to check than Ara. */
export function centrifugoConfig(port) {
  return JSON.stringify({
    http_server: { address: '127.0.0.1', port: String(port) },
    // A ping that shares a message with a notification would be missed.
    client: { insecure: true, ping_interval: '600s', pong_timeout: '60s' },
    http_api: { insecure: true },
    health: { enabled: true },
    log: { level: 'error' },
  });
}
