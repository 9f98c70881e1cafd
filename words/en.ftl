# One message per code: what happened, to which key, what to do. The same keys as zh.ftl (a test).

## The request
usage = The command line can't be read: { $detail }. See ortoo-field --help.
not-a-set = "{ $key }" is not KEY=VALUE. Write for example --set identity.name=…
bad-key = "{ $key }" is not a key. Keys are section.field, section.field/CODE or section#item.field.
bad-id = "{ $key }" is not a record id. Copy it from the list, or give the 12-digit code of an organisation.
unknown-record = There is no record { $key } on this device. Exchange with the server first, or look in the list.
unknown-section = There is no section { $key } in the plan.
not-repeating = { $key }: this section has no items. Set its fields with "edit".
item-needed = { $key }: this section has items. Write section#item.field, or use "item".
unknown-item = There is no item { $key } in this section. "show" lists the items.
item-key-missing = { $key } is missing: it is part of the item's name. Set it as well.
nothing-set = Nothing was typed (on the command line, give at least one --set).
no-conflict = { $key } has no values written apart; there is nothing to settle. Use "edit" to change it.
no-such-value = { $key } has no such value. Choose from 0 to { $last } as listed by "conflicts".
not-a-person = { $key } is not a person's record. Only persons are linked.
same-record = { $key } is named twice. Give two different records.
other-unit = { $key } is held by another org unit. Records of two units are one person if they have the same ID number, or if the office moves her.
unknown-register = There is no register { $key } for this subject.
register-unreadable = The register { $key } can't be evaluated: { $detail }. Exchange with the server for a newer plan.
unknown-year = { $key } is no year of the plan, which is for { $from } to { $to }.
plan-unreadable = The plan (version { $key }) has a rule that this program can't read: { $detail }. Update this program.
unit-not-held = This device does not hold the org unit { $key }. "status" lists what it holds.
which-unit = This device holds several org units: { $units }. Say which one (on the command line: --unit).
no-unit = This device holds no org unit yet. Exchange with the server.
not-granted = This device may not hold { $class } of { $unit }, so it can't write there. Ask the administrator.
no-package = No plan has reached this device yet. Exchange with the server first.
edit-too-large = The edit is too large to be sent in one piece. Save it in several steps.
record-erased = The office has ordered that this record is erased; nobody can write to it any more. Register anew if that is needed.
nothing-kept = Nothing is kept of { $key } on this device. "kept" lists what is.
record-changed = The record has changed since it was shown. Look at it again and repeat the edit.

unsent-changes = { $count } changes on this device have not reached the server. Exchange first, or say that they may be lost.

## Values
unknown-key = { $key } is not in the plan. Check the spelling of section and field.
wrong-subject = { $key } does not belong to this subject.
required = { $key } is missing. Set it as well.
not-an-integer = { $key }: "{ $value }" is not a whole number.
not-a-bool = { $key }: "{ $value }" is neither yes nor no.
not-text = { $key } takes text.
not-a-date = { $key }: "{ $value }" is not a date. Write YYYY-MM-DD.
future-date = { $key }: { $value } is in the future. Check the date, and the clock of this device.
unknown-code = { $key }: "{ $value }" is not in the code list.
too-long = { $key } is too long: at most { $max }.
out-of-range = { $key }: { $value } is not between { $min } and { $max }.
bad-pattern = { $key }: "{ $value }" is not of the expected form.
bad-id-number = { $key }: this ID number is not valid. Compare all 18 characters with the card.
id-number-sex = { $key }: the ID number is of the other sex. Compare it with the card, and identity.sex.
id-number-birth = { $key }: the ID number has another date of birth. Compare it with the card, and identity.birth_date.
bad-reference = { $key }: "{ $value }" names no record.
bad-point = { $key }: "{ $value }" is not a position. Write latitude,longitude with at most one decimal.
code-alone = { $key }: "{ $value }" excludes every other choice. Take it back, or the others.
item-key-differs = { $key }: the item is called { $item }, and its key says otherwise. Add another item instead.
check-failed = { $key }: { $rule-en }

## Enrolment
bad-link = This is not an enrolment link. Copy it whole: ortoo://enrol?server=…&net=…#code
bad-address = "{ $key }" is not a server address. Write https://host:port.
already-enrolled = This device is enrolled already. Use another directory for another enrolment.
other-network = The server at { $key } can't prove to be the one that the link names. Do not go on: ask the administrator for a new link.
secret-weak = This server holds data of real people: the secret must be generated and have at least { $least } characters. Nothing was stored. Choose another ORTOO_PIN and use the same link again.
enrolment-pending = The enrolment waits for the administrator. Compare the digits { $digits } with him, then exchange again.
pending = Waiting for approval: compare the digits { $digits } with the administrator, then run "sync".
server-refused = The server refuses this: { $code-of-server }. Ask the administrator.
code-refused = The enrolment code is not valid: used, expired or mistyped. Ask the administrator for a new link.
device-revoked = The office has revoked this device, so it exchanges no more. Everything saved is still here. What was not sent comes to the office with "outbox FILE"; whoever goes on working gets a new link and another directory.
wiped = The office has ordered this device wiped. All that it had was handed over, and its store is gone.
too-much-to-hand-over = The office has ordered this device wiped, and it holds more that was never sent than one message takes. Nothing was wiped. Bring it with "outbox FILE" and tell the administrator.
not-on-roster = The server does not know this device (any more). Ask the administrator.

## The link
address-lost = The server's address was lost with a damaged part of the store; everything else is there. Ask the administrator for it and set it again ("server").
no-connection = No connection to the server. Nothing is lost; try again later.
server-untrusted = What answers at the server's address is not the server. Nothing was sent; try on another network, or ask the administrator.
renewal-waits = The server has not let the new keys in yet. Nothing is lost; every exchange asks again. Tell the administrator.
server-busy = The server can't answer now ({ $code-of-server }). Nothing is lost; try again later.
bad-answer = The server's answer can't be read ({ $detail }). Nothing is lost; try again later.
cancelled = Stopped. Nothing is lost; exchange again at any time.
no-progress = The exchange does not get on. Nothing is lost; try again later and tell the administrator.

## Files that are carried
bundle-shape = This is no bundle, or not all of one. Ask whoever gave it to you for it again.
bundle-too-large = The file is too large. Have it made in parts, with --max-bytes.
bundle-version = The file was made by a newer version. Update this program.
bundle-not-for-us = The file is not for this device. Carry it on; only those it is for can read it.
bundle-altered = The file does not open: it was altered on its way, or belongs to another server. Ask for it again.
bundle-no-key = The server has not told its key yet, so nothing can be sealed. Exchange with it once.
bundle-stash-full = Too much waits already for what has not come yet. Hand the file in again once that is here.
bundle-too-small = Nothing fits: at least { $least } bytes are needed.
file-unreadable = The file { $key } can't be read: { $detail }.
file-unwritable = The file { $key } can't be written: { $detail }. Choose another place.

## The store
secret-missing = The secret is missing. Set the environment variable ORTOO_PIN.
secret-short = The secret is too short: at least { $least } characters.
secret-not-text = The secret is not text, or too long.
wrong-secret = The secret does not open this store. Try again (on the command line, check ORTOO_PIN and --dir).
other-secret = This store is opened with another kind of secret: with the phone's key store, or with a typed secret alone. Open it as it was made.
key-store-silent = The key store of this phone does not answer. Unlock the phone and try again.
phone-locked = The phone is locked. Open it again with its secret.
exchange-running = An exchange is under way already. Wait for it, or stop it.
no-thread = The system has no room for another thread. Close other apps and try again.
internal = This program made a mistake. Everything that was saved is still there; repeat the last step, and tell the administrator if it happens again.
store-missing = There is no store here. Enrol this device first (on the command line, check --dir).
store-exists = There is a store here already.
not-enrolled = This device is not enrolled. Use the link of the administrator (on the command line: "enrol").
store-damaged = The store is damaged ({ $what }). Leave it as it is and ask the administrator; what was exchanged is on the server.
store-too-new = The store was written by a newer version. Update this program.
store-fenced = Another program has the store open and writes to it. Close it and try again.
store-busy = Another program is writing to the store. Try again.
store-unreadable = The store can't be read. Check the disk.
disk-full = The disk is full; nothing was saved. Make room and try again.
disk-failed = The disk failed and it is not known whether this was saved. Look at the record before you repeat it.
record-unwritable = This record can't be written on this device. Start the program again; if it stays, exchange and tell the administrator.
record-unreadable = The history of this record can't be read. Start the program again.

## Why a batch is not held
batch-envelope = It does not read as a batch.
batch-too-large = It is larger than a batch may be.
batch-author = Its device is not enrolled here.
batch-space = Its device may not write to this register.
batch-signature = Its signature is wrong: it was altered on its way.
batch-blotted = Something was blotted out of it without an order.
batch-parents = It contradicts what it says to follow.
batch-reference = It refers to something that is not here.

## Beside an answer
batches-refused = Some batches were not taken: { $codes }. They stay on this device; tell the administrator.
stash-full = More came in than could be put in order; it comes again with the next exchange.
bundle-left = { $left } batches did not fit. Export another bundle for them.
clock-off = The clock of this device is { $minutes } minutes off. Set it.
rows-damaged = { $rows } rows of the store could not be read. Exchange with the server to fetch them again.
kept-edits = { $count } records were erased by the office of which you had written something that it never saw. Look with "kept", then register it anew or drop it.
unknown-message = Something else was found wrong: { $code } { $key }. Update this program to read more.

## The server's command line
server-key-unusable = The key can't be used: { $detail }.
server-key-exists = { $key } is there already; a new key never takes a file's place. Give another name.
server-bad-public-key = "{ $key }" is no public key. Copy it from what "order-key new" printed.
server-not-an-order = { $key } is no order of this installation.
server-not-an-order-key = The key in { $key } may not order here: no root statement lists it. List it with "root renew --order-key".
server-order-refused = The order in { $key } is not taken: { $reason }.
server-order-needs-second = The order is about { $key } things, and one person may order only { $max } alone. A second person signs the file with "order sign" before it is submitted.
server-root-key-wrong = The key in { $key } is not the one that may sign the next root statement of this installation.
server-root-threshold = The next root statement needs { $key } root keys' signatures, which this program can't collect.
server-space-not-held = The device { $device } does not hold { $key }. "devices" lists what it holds.
server-device-revoked = The device { $key } is revoked already. Whoever is to come back gets a new link and makes new keys.
server-batch-not-waiting = { $key }: no such batch waits for the office. "pending-batches" lists them.
server-verdict-needs-key = { $key } batches at once: above { $max } a person decides. Give a key that may order (--key).
server-address-unknown = The server was never started here, so its address is not known. Start it, or give --url.
server-bad-address = "{ $key }" is not a server address. Write https://host or https://host:port.
server-bad-id = "{ $key }" is neither a record's or device's id nor a 12-digit code. Copy it from "records" or "pending".
server-bundle-refused = { $key } is not taken ({ $reason }): it is no bundle for this server, or was altered on its way. Ask for it again.
server-recovery-first = This server was restored: until "recovery confirm" nothing of others goes out. See "recovery status".
server-snapshot-too-large = The snapshot has { $key } bytes, { $max } is the limit. Make one for fewer units.
server-file-failed = The file { $key } can't be read or written: { $detail }.
server-cannot-listen = Can't listen on { $key }: { $detail }. Choose another port, or stop what uses it.
server-console-not-loopback = The console is for this machine's loopback address only, not for { $key }. Use 127.0.0.1.
server-device-unknown = No device { $key } used an enrolment code. "pending" lists those that wait.
server-http-not-loopback = Plain HTTP is served on loopback addresses only, not on { $key }. Leave --http away.
server-bad-date = { $key } is not a day. Write YYYY-MM-DD.
server-move-not-person = { $key } is not a person's record. Only persons move.
server-not-parked = { $key } is not parked. "parked" lists the records that are.
server-move-stays = She is recorded in { $key } already. Give the unit that she moves to.
server-not-a-sample = This installation was not started as a sample and may hold real data. Leave { $key } away, or give another directory.
server-package-unknown = The plan of this installation can't be read. Update this program.
server-sample-not-empty = { $key } already holds records. A sample goes into an empty directory: give another --data.
server-space-count = { $key } spaces: a device holds between 1 and { $max }. Make several links.
server-store-differs = { $key } differences: what is stored is not what the batches make. Keep a copy of the directory, then restore the last backup or ask for help.
server-too-long = { $key } is too long: at most { $max } characters.
server-unit-without-cadres = Nobody keeps registers in { $key }. Give the code of a gacha, a community or a sumu.
server-unknown-class = { $key }: there is no such class. The classes are { $classes }.
server-unknown-record = There is no record { $key } on this server. "records" lists them.
server-unknown-unit = { $key }: the plan knows no such org unit. Give the code of a gacha, a community or a sumu.
server-unknown-year = { $key } is no year of the plan, which is for { $from } to { $to }.
server-unknown-org = { $key }: the plan knows no such org unit. Give the code of the banner, a sumu, a gacha or a community.
server-cells-differ = { $key } figures differ from what the records say. Run "recount", and report it.
sample-progress = { $done } of { $of } people recorded
server-backup-broken = The backup { $key } can't be restored: { $part } was altered or is cut off. Nothing was changed; take another copy of it.
server-backup-in-clear = The backup would hold real people's data in clear. If { $key } lies where nobody else gets at it, or is sealed right away, say --plain-i-know.
server-file-exists = { $key } is there already and was not overwritten. Give another name.
server-journal-failed = The journal can't be kept in { $key }: { $detail }. Give a directory on another disk that this program may write to.
server-journal-of-another = { $key } holds the journal of another installation. Give an empty directory.
server-journal-unusable = The journal can't be replayed: { $key }. Nothing was changed.
server-not-a-backup = { $key } is no backup that this program reads. It may have been made by a newer one.
server-restore-not-empty = { $key } is not empty. A backup is restored into a directory that is empty or not there: give another --data.
server-data-unusable = The data directory can't be used: { $detail }.

## The console: its frame
console-site = Örtöö banner console
console-sample = Sample data, no real people
console-skip = Skip to the content
console-pages = Main pages
console-overview = Indicators
console-registers = Registers
console-freshness = Freshness
console-conflicts = To be settled
console-events = Events
console-other-language = 中文
console-way = Org unit
console-printed = As of { $date }.
console-loopback = This page is served on the server's own machine only; numbers that name somebody are shown in part.
console-to-overview = Back to the indicators

## The console: indicators
console-overview-of = { $place }: indicators
console-overview-caption = Indicators of { $year }; the figures follow the records at once
console-year = Year
console-not-counted = The figures are being counted by a new plan. Reload this page in a while.
console-no-indicators = The plan has no indicators yet.
console-indicator = Indicator
console-value = Value
console-target = Target
console-gap = Distance from the target
console-bar = Value and target
console-made-of = Reached / of
console-unknown = Unknown
console-unknown-count = { $count } unknown
console-if-unknown-no = { $value } if none of them
console-by-unit = By org unit
console-matrix-caption = Values of { $year } by org unit
console-percent = { $number }%
console-per-1000 = { $number }‰
console-per-100k = { $number } per 100,000
console-points = { $number } points
console-at-least = ≥ { $amount }
console-at-most = ≤ { $amount }
console-about = about { $amount }
console-domain-health = Women and health
console-domain-education = Women and education
console-domain-economy = Women and the economy
console-domain-decision-making = Women in decision-making and management
console-domain-social-security = Women and social security
console-domain-family = Women and family
console-domain-environment = Women and the environment
console-domain-law = Women and the law
console-figure-of = { $year }
console-no-target = the plan names no amount
console-reached = Reached
console-of = Of (without unknown)
console-partial = The registers see a part of the people; a department completes the figure.
console-behind = The records behind the figure
console-part = Part
console-part-reached = Reached { $count }
console-part-rest = Not reached { $count }
console-part-unknown = Unknown { $count }
console-behind-reached = In the numerator: { $count } in all.
console-behind-rest = In the denominator only: { $count } in all.
console-behind-unknown = Not known for lack of something: { $count } in all.
console-behind-empty = There are no records in this part.
console-records = { $count } records
console-record = Record
console-weight = Counts for
console-unit = Org unit
console-by = By { $status }
console-by-year = By year
console-chart = The values of the years as a line; the level line is the target. The table below has the numbers.
console-plan = What the plan says
console-responsible = Responsible: { $departments }.
console-inferred = The plan names no department for a single target; this is our reading.
console-rule = How it is counted
console-counted-of = What is counted: { $subject }.
console-period-from = The period begins on { $date }
console-period-to = and ends on { $date }; what counts is the state on its last day.
console-denominator = Denominator: who counts
console-known = Known: of whom the answer is known
console-numerator = Numerator: who has reached it
console-names = Names in the expressions
console-name = Name
console-meaning = Meaning
console-expression = Expression
console-settings = Values in force
console-in-force = In force
console-standard = Source
console-since = since { $date }

## The console: registers
console-no-registers = The plan has no registers yet.
console-choose-unit = Choose a gacha or community:
console-no-units = The plan has no gacha or community below it.
console-filter = Find
console-filter-hint = Finds text that the table shows; the number of a document or telephone must be typed in full.
console-find = Find
console-show-all = Show all
console-register-empty = No data yet: the unit has no record that belongs in this register.
console-nothing-found = Nothing is found. Check what you typed, or show all.
console-rows = { $count } rows
console-unnamed = (not filled in)
console-open = to be settled
console-too-large = too much is recorded to work it out
console-overdue = overdue
console-turn = Pages
console-previous = Previous page
console-next = Next page

## The console: values
console-yes = yes
console-no = no
console-another-record = (another record)
console-withdrawn = withdrawn

## The console: records
console-parked = A change of this record could not be brought together with the others; what is shown is what it said before. Tell the administrator.
console-problems = To be completed or checked
console-computed = What follows from the record
console-computed-hint = Worked out as of { $date }; nobody types it.
console-linked = Other records of the same person
console-parted = Records of somebody else
console-link = Who it is
console-link-state = Same person as another record
console-link-despite = Confirmed although this differs
console-link-same = said to be the same person
console-link-not-same = said not to be the same person
console-link-number = the same ID number
console-link-through = through another record
console-people = People recorded in this household
console-history = History
console-history-caption = The values written for each item, one after the other; times by the clock of the device
console-item = Item
console-written-value = Value written
console-who = Written by
console-device = Device
console-when = When
console-emptied = (emptied)
console-shown-now = (shown now)

## The console: freshness and what is to be settled
console-freshness-title = How fresh each gacha's data is
console-freshness-caption = When the phones last reached the server, and when something last came in
console-freshness-summary = { $units } units; { $late } of them have no phone, or none that was heard of for { $days } days.
console-phones = Phones
console-seen = Last heard of
console-moved = Last data
console-record-count = Records
console-never = never heard of
console-no-phone = no phone
console-late-days = not heard of for { $days } days
console-conflicts-title = Values written apart
console-conflicts-hint = Two people wrote different values, or the records of one person differ in name or date of birth. Both values are kept; ask the cadre to settle it on the phone.
console-conflicts-empty = Nothing waits to be settled.
console-conflicts-hidden = What differs is in a class that is not shown here.
console-below = Units below

## The console: bundles
console-bundles = Bundles
console-bundles-title = Hand in a bundle
console-bundle-what = Where there is no signal, a phone makes a bundle: a file that any traveller carries. Hand it in here; what stands in it is then in the registers.
console-bundle-file = The bundle's file
console-bundle-hand-in = Hand in
console-bundle-hint = At most 16 MB. The same file may come any number of times. It was sealed by the phone: whoever carried it could not read it, and neither can this page show what is in it.
console-bundle-no-file = No file was chosen. Choose the bundle's file and hand it in again.
console-bundle-taken = The bundle is taken
console-bundle-new = { $count } batches were new and are in the registers now.
console-bundle-known = Nothing in it was new: all of it had arrived before.
console-bundle-asks = It brought nothing and asks what is new here.
console-bundle-waiting = { $count } batches wait for others that have not come yet. They count as soon as those are here, by another bundle or an exchange of the phone.
console-bundle-others = { $count } parts are for phones alone. Let the file be carried on.
console-bundle-not-held = Not taken
console-bundle-reply = Save the answer to take back
console-bundle-reply-hint = The answer tells the phone what has arrived and brings it what it lacks. Until it has it, the phone keeps everything and sends it again.

## The console: pages that can't be shown
console-trouble-not-found-title = There is no such page
console-trouble-not-found-advice = The org unit, indicator, register, year or page in the address does not exist. Start again from the main pages above.
console-trouble-not-counted-title = The figures are being counted
console-trouble-not-counted-advice = They are counted for the first time; nothing is lost. Reload this page in a while.
console-trouble-stale-title = The link of this record is out of date
console-trouble-stale-advice = A record's link is good only until the server is started again. Open the record again from its register.
console-trouble-method-title = This can't be asked for
console-trouble-method-advice = The console shows, searches and takes bundles; nothing else is changed here. Start again from the main pages above.
console-trouble-foreign-title = The request is for another host
console-trouble-foreign-advice = Use the console's address that the server printed when it started (127.0.0.1).
console-trouble-form-too-large-title = Too much to search for
console-trouble-form-too-large-advice = Type something short, such as a name or a number, and search again.
console-trouble-file-too-large-title = The file is too large
console-trouble-file-too-large-advice = A bundle has at most 16 MB. Nothing was taken. Have it made in parts, with --max-bytes.
console-trouble-form-title = The form is out of date
console-trouble-form-advice = A form is good only until the server is started again. Nothing was taken. Open the page again, choose the file and hand it in.
console-trouble-no-reply-title = The answer is not kept any more
console-trouble-no-reply-advice = Hand in the same bundle once more: its answer is made again, and nothing is taken twice.
console-trouble-busy-title = Too many people are reading
console-trouble-busy-advice = Nothing is lost. Reload this page in a while.
console-trouble-plan-title = The plan has a rule that this program does not know
console-trouble-plan-advice = The plan is newer than this program. Update the server and open the page again.
console-trouble-failed-title = The server failed
console-trouble-failed-advice = Nothing is lost. Reload this page; if it fails again, tell the administrator when it happened: the reason is in the server's log.

## What happened that the office should know
console-events-title = What happened on the server and with the phones
console-events-caption = The newest { $count }, newest first
console-events-none = Nothing has happened that needs attention.
console-event-what = What
console-event-when = When
console-event-device = Phone
console-event-space = Where
event-restored = The server was restored from a backup. Phones bring back what it lacks; nothing of others is sent out until the journal was replayed or "recovery confirm".
event-set-back = The database is older than what this server had stored: somebody put an older copy in its place. Phones bring back what it lacks; nothing of others is sent out until "recovery confirm".
event-at-risk = No phone that held this came back before the recovery was confirmed: what was written here between the backup and the loss may be missing. Ask the cadres of the unit.
event-recovery-confirmed = An administrator has confirmed the roster. Everybody is served again.
event-device-returned = A phone came back of whose enrolment nothing was known here. It may bring, and is given nothing, until "recovery confirm".
event-fork-seen = A phone's log has two branches: it was set back to an older copy, or ended at a bad moment. Nothing is lost; its next exchange joins them.
event-fork-healed = The phone has joined its two branches.
event-device-cloned = Two phones write with the keys of one. Both are asked to make new keys; nothing is lost. Find out who copied the phone.
event-keys-renewed = A phone has made new keys and is another device from now on.
event-journal-lost = Files of the journal were gone: a disk was taken out, or its directory emptied. The journal was begun anew with everything that is held. Check the disk, and make a backup.
