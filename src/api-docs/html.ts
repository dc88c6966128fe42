const STYLE = `
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; }
nav { padding: 0.75rem 1.5rem; background: #1b2a3a; color: #fff; }
nav a { color: #cfe3ff; margin-left: 1.5rem; }
main { max-width: 60rem; margin: 0 auto; padding: 1rem 1.5rem 4rem; }
main code, main pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
main pre { padding: 0.75rem 1rem; overflow: auto; background: #f3f5f7; border-radius: 4px; }
main h2 { margin-top: 3rem; border-bottom: 1px solid #ccd3da; }
`;

/** A page of the documents. Both arguments are HTML. Styles stand inline, scripts do not: the security policy wants it so. */
export function htmlPage(head: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ara API</title>
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
${head}
<style>${STYLE}</style>
</head>
<body>
<nav><strong>Ara</strong><a href="/docs">HTTP</a><a href="/docs/messages">WebSocket, SSE, Redis</a><a href="/openapi.json">openapi.json</a><a href="/asyncapi.json">asyncapi.json</a></nav>
${body}
</body>
</html>
`;
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
