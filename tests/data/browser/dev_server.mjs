// Opens a page of a dev server, changes the file that has its heading, restarts the dyno, and changes the file again.
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'

const { DYNO, BROWSER, BROWSER_PACKAGES, PORT, FILE } = process.env
const { chromium } = createRequire(`${BROWSER_PACKAGES}/`)('playwright-core')

const browser = await chromium.launch({ executablePath: BROWSER, args: ['--no-sandbox'] })
const page = await browser.newPage()
page.on('response', (answer) => {
  if (answer.status() >= 400 && !answer.url().endsWith('/favicon.ico')) console.log(answer.status(), answer.url())
})
const sockets = []
page.on('websocket', (socket) => {
  sockets.push(new URL(socket.url()).host)
  socket.on('socketerror', (error) => console.log('socket:', error))
})

/// Saves the file with another heading until the page shows it: a dev server may not have begun to watch the file.
async function change(from, to) {
  const text = readFileSync(FILE, 'utf8').replace(`'${from}'`, `'${to}'`)
  for (;;) {
    writeFileSync(FILE, text)
    try {
      await page.waitForFunction((to) => document.querySelector('h1')?.textContent === to, to, { timeout: 5000 })
      return
    } catch (error) { if (error.name !== 'TimeoutError') throw error }
  }
}

// Compiling the first page takes long.
page.setDefaultTimeout(180000)
console.log(`first: ${(await page.goto(`http://app.localhost:${PORT}/`)).status()} ${await page.textContent('h1')}`)
await page.evaluate(() => { window.isFirstPage = true })
await change('one', 'two')
console.log(`changed: ${await page.evaluate(() => (window.isFirstPage ? 'in the same page' : 'in a new page'))}`)
await promisify(execFile)(DYNO, ['restart', 'web', '--wait'])
await change('two', 'three')
console.log('changed after the restart')
console.log(`again: ${(await page.reload()).status()} ${await page.textContent('h1')}`)
console.log(`sockets: ${[...new Set(sockets)]}`)
await browser.close()
