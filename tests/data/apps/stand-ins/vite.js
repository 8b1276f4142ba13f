// A stand-in for the development server of vite: coloured on a terminal, exits with 143 on SIGTERM.

const http = require("node:http");

const port = Number(process.env.VITE_PORT);
const paint = (code, text) => (process.stdout.isTTY ? `\x1b[${code}m${text}\x1b[0m` : text);

http.createServer((request, response) => response.end("OK")).listen(port, "127.0.0.1", () => {
  console.log("");
  console.log(`  ${paint("32;1", "VITE")} ready`);
  console.log(`  ${paint(32, "➜")}  Local:   http://localhost:${port}/`);
});
process.on("SIGTERM", () => process.exit(143));
