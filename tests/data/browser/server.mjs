// A server that says which version it is, and that cannot start while the file `broken` exists.
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'

console.log('\x1b[32mloading\x1b[0m ' + 'config/'.repeat(60) + 'app.json')
for (let number = 1; number <= 14; number++) console.log(`    at step ${number} (/srv/shop/lib/start.mjs:${number}:7)`)
console.log('<img src=x onerror="window.attacked = true"><script>window.attacked = true</script>')
console.log('')
if (existsSync('broken')) throw new Error(readFileSync('broken', 'utf8'))

const page = `<!doctype html><title>shop</title><h1>${readFileSync('version', 'utf8')}</h1>
<script>
  window.failed = []; window.count = 0; window.events = 0
  async function load() {
    try {
      const answer = await fetch('/data')
      if (answer.ok) window.count++; else window.failed.push(answer.status)
    } catch (error) { window.failed.push(String(error)) }
    setTimeout(load, 5)
  }
  load()
  window.stream = new EventSource('/events')
  window.stream.onmessage = () => window.events++
</script>`

createServer((request, answer) => {
  if (request.url === '/events') {
    answer.writeHead(200, { 'content-type': 'text/event-stream' })
    answer.write('retry: 10\ndata: hello\n\n')
  } else if (request.url === '/data') {
    setTimeout(() => answer.end('{}'), 10)
  } else {
    answer.writeHead(200, { 'content-type': 'text/html' })
    answer.end(page)
  }
}).listen(process.env.PORT, '127.0.0.1', () => console.log('ready'))
