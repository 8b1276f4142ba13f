// Drives Chromium against an app whose dynos are restarted, scaled, broken and repaired, and prints what it saw.
import { execFile } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'

const { DYNO, BROWSER, BROWSER_PACKAGES, PORT, DOOR, SCREENSHOTS } = process.env
const { chromium } = createRequire(`${BROWSER_PACKAGES}/`)('playwright-core')
const dyno = (...words) => promisify(execFile)(DYNO, words)
const url = `http://app.localhost:${PORT}/`

const browser = await chromium.launch({ executablePath: BROWSER, args: ['--no-sandbox'] })
const context = await browser.newContext()
const page = await context.newPage()
// A page that stays open, and keeps asking the app.
const resident = await context.newPage()

async function status(target) { return (await page.goto(target)).status() }

/// Navigates again and again until `work` is over. Returns what failed.
async function navigatingWhile(work) {
  let isOver = false, count = 0
  const failed = []
  const over = work().finally(() => { isOver = true })
  while (!isOver) {
    try {
      const seen = await status(url)
      if (seen !== 200) failed.push(seen)
    } catch (error) { failed.push(String(error)) }
    count++
  }
  await over
  if (count === 0) failed.push('no navigation')
  return failed
}

/// Takes pictures of a page, and says what is wrong with it.
async function shown(name, target) {
  for (const [scheme, width] of [['light', 1100], ['dark', 1100], ['light', 360], ['dark', 360]]) {
    const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height: 700 } })
    const page = await context.newPage()
    await page.goto(target)
    await page.screenshot({ path: `${SCREENSHOTS}/${name}-${scheme}-${width}.png`, fullPage: true })
    const wide = await page.evaluate(() => document.documentElement.scrollWidth)
    if (wide > width) console.log(`${name}: ${wide} of ${width} pixels`)
    if (await page.evaluate(() => window.attacked)) console.log(`${name}: the output has run as a script`)
    await context.close()
  }
}

console.log(`first: ${(await resident.goto(url)).status()} ${await resident.textContent('h1')}`)
console.log('restarts:', await navigatingWhile(async () => {
  for (let number = 0; number < 5; number++) await dyno('restart', 'web', '--wait')
}))
console.log('scaling:', await navigatingWhile(async () => {
  await dyno('scale', 'web=3', '--wait')
  await dyno('restart', 'web', '--wait')
  await dyno('scale', 'web=1', '--wait')
}))
const events = await resident.evaluate(() => window.events)
await dyno('restart', 'web', '--wait')
await resident.waitForFunction((before) => window.events > before, events)
console.log('requests of the page:', await resident.evaluate(() => (window.count > 0 ? window.failed : 'none')))
await resident.close()

writeFileSync('broken', 'cannot connect to <the database> at 127.0.0.1:5432')
await dyno('restart', 'web')
let seen = await status(url)
while (seen === 200) seen = await status(url)
console.log(`broken: ${seen} ${await page.title()}`)
for (const pre of await page.$$('pre')) console.log(await pre.innerText())
await shown('crashed', url)

rmSync('broken')
writeFileSync('version', 'two')
await dyno('restart', 'web')
console.log(`repaired: ${await status(url)} ${await page.textContent('h1')}`)

console.log(`list: ${await status(`http://localhost:${DOOR}/`)} ${await page.title()}`)
console.log(await page.innerText('ul'))
await shown('list', `http://localhost:${DOOR}/`)
await page.click('li a')
await page.waitForURL(`http://app.localhost:${DOOR}/`)
console.log(`link: ${await page.textContent('h1')}`)
console.log(`unknown: ${await status(`http://gone.localhost:${DOOR}/`)} ${await page.textContent('h1')}`)
await shown('unknown', `http://gone.localhost:${DOOR}/`)
await browser.close()
