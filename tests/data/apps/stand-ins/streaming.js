// A stand-in for the streaming server of mastodon.

const http = require("node:http");

const port = Number(process.env.PORT);
const server = http.createServer((request, response) => response.end("OK"));

server.listen(port, "127.0.0.1", () => {
  console.log(JSON.stringify({ level: "INFO", msg: `Streaming API now listening on 127.0.0.1:${port}` }));
});
process.on("SIGTERM", () => {
  console.log(JSON.stringify({ level: "INFO", msg: "Shutting down" }));
  server.close(() => process.exit(0));
});
