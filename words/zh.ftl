# 每个代码一条消息：发生了什么、涉及哪个键、该怎么做。键与 en.ftl 相同（有测试）。

## 请求
usage = 命令无法识别：{ $detail }。请看 ortoo-field --help。
not-a-set = “{ $key }”不是 键=值 的形式。例如：--set identity.name=…
bad-key = “{ $key }”不是有效的键。键的形式为 分区.字段、分区.字段/代码 或 分区#条目.字段。
bad-id = “{ $key }”不是有效的记录编号。请从列表复制，或填写单位的 12 位代码。
unknown-record = 本机没有记录 { $key }。请先与服务器同步，或在列表中查找。
unknown-section = 方案中没有分区 { $key }。
not-repeating = { $key }：该分区没有条目，请用 edit 填写其字段。
item-needed = { $key }：该分区由条目组成，请写成 分区#条目.字段，或使用 item。
unknown-item = 该分区没有条目 { $key }。用 show 查看条目。
item-key-missing = 缺少 { $key }：它是条目名称的一部分，请一并填写。
nothing-set = 没有填写任何内容（命令行：至少给出一个 --set）。
no-conflict = { $key } 没有待裁定的不同值。如需修改，请用 edit。
no-such-value = { $key } 没有这个值。请在 conflicts 列出的 0 到 { $last } 中选择。
not-a-person = { $key } 不是人员记录。只有人员记录可以关联。
same-record = { $key } 写了两次。请给出两条不同的记录。
other-unit = { $key } 属于另一单位。不同单位的记录，证件号码相同才算同一人，或由旗办公室办理迁移。
unknown-register = 没有适用的台账 { $key }。
register-unreadable = 台账 { $key } 无法计算：{ $detail }。请与服务器同步以取得新方案。
unknown-year = { $key } 不是规划的年份（{ $from } 到 { $to }）。
plan-unreadable = 方案（版本 { $key }）中有本程序无法读取的规则：{ $detail }。请更新本程序。
unit-not-held = 本机没有单位 { $key } 的数据。用 status 查看本机的单位。
which-unit = 本机有多个单位：{ $units }。请指明是哪一个（命令行：--unit）。
no-unit = 本机还没有任何单位，请与服务器同步。
not-granted = 本机无权保存 { $unit } 的 { $class } 类数据，不能填写。请联系管理员。
unsent-changes = 本机还有 { $count } 处改动没有送到服务器。请先同步；确实不要了，请明确选择放弃。
no-package = 方案尚未下发到本机，请先与服务器同步。
edit-too-large = 一次修改的内容过多，请分几次保存。
record-changed = 记录在显示之后已有变化。请重新查看后再修改。

## 值
unknown-key = 方案中没有 { $key }。请检查分区和字段的拼写。
wrong-subject = { $key } 不属于该对象。
required = 缺少 { $key }，请一并填写。
not-an-integer = { $key }：“{ $value }”不是整数。
not-a-bool = { $key }：“{ $value }”不是“是”或“否”。
not-text = { $key } 应填写文字。
not-a-date = { $key }：“{ $value }”不是日期，请写成 YYYY-MM-DD。
future-date = { $key }：{ $value } 晚于今天。请核对日期和本机时钟。
unknown-code = { $key }：“{ $value }”不在代码表中。
too-long = { $key } 过长，最多 { $max }。
out-of-range = { $key }：{ $value } 不在 { $min } 到 { $max } 之间。
bad-pattern = { $key }：“{ $value }”格式不符。
bad-id-number = { $key }：身份证号码无效，请与证件逐位核对。
id-number-sex = { $key }：身份证号码与性别不符，请核对证件和 identity.sex。
id-number-birth = { $key }：身份证号码与出生日期不符，请核对证件和 identity.birth_date。
bad-reference = { $key }：“{ $value }”不是任何记录的编号。
bad-point = { $key }：“{ $value }”不是有效位置。请写 纬度,经度，最多一位小数。
code-alone = { $key }：“{ $value }”不能与其他选项同选，请取消它或其他选项。
item-key-differs = { $key }：条目名为 { $item }，与其键值不符，请另添一个条目。
check-failed = { $key }：{ $rule-zh }

## 注册
bad-link = 这不是注册链接。请完整复制：ortoo://enrol?server=…&net=…#code
bad-address = “{ $key }”不是服务器地址。请写成 https://主机:端口。
already-enrolled = 本机已经注册。如需再次注册，请换一个目录。
other-network = { $key } 的服务器不能证明它是链接所指的服务器。请勿继续，向管理员索取新链接。
secret-weak = 该服务器保存真实人员的数据：口令须随机生成且至少 { $least } 个字符。未保存任何内容。请另设 ORTOO_PIN，再用同一链接。
enrolment-pending = 注册等待管理员批准。请与管理员核对数字 { $digits }，然后再次同步。
pending = 等待批准：请与管理员核对数字 { $digits }，然后执行 sync。
server-refused = 服务器拒绝：{ $code-of-server }。请联系管理员。
code-refused = 注册码无效：已使用、已过期或有误。请向管理员索取新链接。
not-on-roster = 服务器不认识（或不再认识）本机。请联系管理员。

## 连接
address-lost = 存储的一处损坏使服务器地址丢失，其他内容都在。请向管理员询问地址并重新设置（server）。
no-connection = 无法连接服务器。没有丢失任何内容，请稍后再试。
server-untrusted = 服务器地址上应答的不是该服务器。没有发送任何内容；请换一个网络，或联系管理员。
renewal-waits = 服务器尚未接受新的密钥。没有丢失任何内容；每次同步都会再次请求。请告知管理员。
server-busy = 服务器暂时不能应答（{ $code-of-server }）。没有丢失任何内容，请稍后再试。
bad-answer = 无法读取服务器的应答（{ $detail }）。没有丢失任何内容，请稍后再试。
cancelled = 已停止。没有丢失任何内容，可随时再次同步。
no-progress = 同步没有进展。没有丢失任何内容，请稍后再试并告知管理员。

## 携带的文件
bundle-shape = 这不是携带包，或文件不完整。请向给您文件的人重新索取。
bundle-too-large = 文件过大，无法处理。请让对方用 --max-bytes 分成几份。
bundle-version = 该文件由较新的版本写成，请更新本程序。
bundle-not-for-us = 该文件不是给本机的，请照样带给别人；内容只有收件者能读。
bundle-altered = 该文件打不开：途中有改动，或属于别的服务器。请重新索取。
bundle-no-key = 服务器还没有告知它的密钥，无法封包。请先与服务器同步一次。
bundle-too-small = 太小，放不下任何内容：最少需要 { $least } 字节。
file-unreadable = 无法读取文件 { $key }：{ $detail }。
file-unwritable = 无法写入文件 { $key }：{ $detail }。请换一个位置。

## 本机存储
secret-missing = 缺少口令。请设置环境变量 ORTOO_PIN。
secret-short = 口令过短，至少 { $least } 个字符。
secret-not-text = 口令不是文字，或过长。
wrong-secret = 口令打不开本机存储，请再试一次（命令行：检查 ORTOO_PIN 和 --dir）。
other-secret = 该数据库要用另一种方式打开：手机的密钥库，或只用输入的口令。请按建立时的方式打开。
key-store-silent = 手机的密钥库没有响应。请先解锁手机，再试一次。
phone-locked = 已锁定。请用口令重新打开。
exchange-running = 正在同步。请等它结束，或先停止它。
no-thread = 系统资源不足，无法开始。请关闭其他应用后再试。
internal = 程序出错了。已保存的内容都在；请重做上一步，如再出现请告知管理员。
store-missing = 此处没有存储。请先注册本机（命令行：检查 --dir）。
store-exists = 此处已有存储。
not-enrolled = 本机尚未注册。请使用管理员的链接（命令行：enrol）。
store-damaged = 存储已损坏（{ $what }）。请保持原样并联系管理员；已同步的内容在服务器上。
store-too-new = 存储由较新的版本写成，请更新本程序。
store-fenced = 另一个程序正在使用该存储。请关闭后再试。
store-busy = 另一个程序正在写入，请再试一次。
store-unreadable = 无法读取存储，请检查磁盘。
disk-full = 磁盘已满，没有保存。请腾出空间后再试。
disk-failed = 磁盘出错，不确定是否已保存。重复操作之前请先查看记录。
record-unwritable = 本机无法写入该记录。请重新启动程序；如仍如此，请同步并告知管理员。
record-unreadable = 无法读取该记录的历史。请重新启动程序。

## 批次为何没有保存
batch-envelope = 内容不是批次。
batch-too-large = 超过批次的大小上限。
batch-author = 写入的设备没有在这里登记。
batch-space = 写入的设备无权填写该台账。
batch-signature = 签名不对：途中有改动。
batch-blotted = 其中有内容未经指令被抹去。
batch-parents = 与它所接续的批次矛盾。
batch-reference = 所引用的内容不在这里。

## 附注
batches-refused = 有批次未被接收：{ $codes }。它们仍在本机，请告知管理员。
stash-full = 收到的内容一时无法排序，下次同步会再次取得。
bundle-left = 还有 { $left } 个批次没有放进去。请再导出一份。
clock-off = 本机时钟相差 { $minutes } 分钟，请校准。
rows-damaged = 存储中有 { $rows } 行无法读取。请与服务器同步以重新取得。
unknown-message = 发现其他问题：{ $code } { $key }。请更新本程序以了解详情。

## 服务器命令行
server-key-unusable = 密钥无法使用：{ $detail }。
server-key-exists = { $key } 已存在；新密钥不会覆盖任何文件。请换一个名称。
server-bad-public-key = “{ $key }”不是公钥。请从 order-key new 的输出复制。
server-not-an-order = { $key } 不是本服务器的指令文件。
server-not-an-order-key = { $key } 中的密钥在此无权下达指令：根声明中没有它。请用 root renew --order-key 列入。
server-order-refused = 没有接收 { $key } 中的指令：{ $reason }。
server-order-needs-second = 该指令涉及 { $key } 项，一人最多可单独决定 { $max } 项。请第二人先用 order sign 在文件上签名，再提交。
server-root-key-wrong = { $key } 中的密钥不能签署本服务器的下一份根声明。
server-root-threshold = 下一份根声明需要 { $key } 个根密钥签名，本程序不能收集。
server-address-unknown = 服务器尚未在此启动过，地址未知。请先启动，或给出 --url。
server-bad-address = “{ $key }”不是服务器地址。请写成 https://主机 或 https://主机:端口。
server-bad-id = “{ $key }”不是记录或设备的编号，也不是 12 位代码。请从 records 或 pending 复制。
server-bundle-refused = 没有接收 { $key }（{ $reason }）：这不是给本服务器的携带包，或在途中有改动。请重新索取。
server-file-failed = 无法读写文件 { $key }：{ $detail }。
server-cannot-listen = 无法监听 { $key }：{ $detail }。请换一个端口，或停止占用它的程序。
server-console-not-loopback = 控制台只在本机回环地址上提供，不能用于 { $key }。请改用 127.0.0.1。
server-device-unknown = 没有设备 { $key } 使用过注册码。用 pending 查看等待中的设备。
server-http-not-loopback = 明文 HTTP 只用于本机回环地址，不能用于 { $key }。请去掉 --http。
server-bad-date = { $key } 不是日期，请写成 YYYY-MM-DD。
server-move-not-person = { $key } 不是人员记录，只有人员可以迁移。
server-move-stays = 该人员已经登记在 { $key }。请写要迁入的单位。
server-not-a-sample = 该服务器不是作为样例启动的，可能保存真实数据。请去掉 { $key }，或另换目录。
server-package-unknown = 无法读取该服务器的方案，请更新本程序。
server-sample-not-empty = { $key } 中已有登记内容。样例只能写入空的目录：请另给一个 --data。
server-space-count = { $key } 个空间：一台设备可有 1 到 { $max } 个。请分几个链接。
server-store-differs = { $key } 处不符：存储内容与批次不一致。请先复制整个目录，再恢复最近的备份或请求协助。
server-too-long = { $key } 过长，最多 { $max } 个字。
server-unit-without-cadres = { $key } 没有登记人员。请填写嘎查、社区或苏木镇的代码。
server-unknown-class = { $key }：没有这一类。类别有：{ $classes }。
server-unknown-record = 本服务器没有记录 { $key }。用 records 查看。
server-unknown-unit = { $key }：方案中没有该单位。请填写嘎查、社区或苏木镇的代码。
server-unknown-year = { $key } 不是规划的年份（{ $from } 到 { $to }）。
server-unknown-org = { $key }：方案中没有该单位。请填写旗、苏木、嘎查或社区的代码。
server-cells-differ = 有 { $key } 个数字与记录不符。请执行 recount 并报告。
sample-progress = 已登记 { $done } / { $of } 人
server-backup-broken = 备份 { $key } 无法恢复：{ $part } 被改动或不完整。没有做任何更改；请换一份备份。
server-backup-in-clear = 备份将以明文包含真实人员的数据。如果 { $key } 所在位置他人无法取得，或会立即加密，请加上 --plain-i-know。
server-file-exists = { $key } 已存在，没有覆盖。请换一个名称。
server-journal-failed = 日志无法保存在 { $key }：{ $detail }。请给出另一块磁盘上本程序可写的目录。
server-journal-unusable = 日志无法重放：{ $key }。没有做任何更改。
server-not-a-backup = { $key } 不是本程序能读取的备份，可能由更新的版本制作。
server-restore-not-empty = { $key } 不是空目录。备份只能恢复到空的或不存在的目录：请给出另一个 --data。
server-data-unusable = 数据目录无法使用：{ $detail }。

## 控制台：框架
console-site = Örtöö 旗级控制台
console-sample = 样例数据，非真实人员
console-skip = 跳到正文
console-pages = 主要页面
console-overview = 指标总览
console-registers = 台账
console-freshness = 更新情况
console-conflicts = 待裁定
console-events = 事件
console-other-language = English
console-way = 所在单位
console-printed = 截至 { $date }。
console-loopback = 本页只在服务器本机提供，号码只显示一部分。
console-to-overview = 返回指标总览

## 控制台：指标
console-overview-of = { $place }：指标总览
console-overview-caption = { $year } 年各项指标，数字随记录即时更新
console-year = 年份
console-not-counted = 正在按新方案计算数字，请稍后刷新本页。
console-no-indicators = 方案中还没有指标。
console-indicator = 指标
console-value = 数值
console-target = 目标
console-gap = 与目标相差
console-bar = 数值与目标
console-made-of = 达到 / 总数
console-unknown = 未知
console-unknown-count = 未知 { $count }
console-if-unknown-no = 若未知全部为否 { $value }
console-by-unit = 分单位
console-matrix-caption = { $year } 年各单位的数值
console-percent = { $number }%
console-per-1000 = { $number }‰
console-per-100k = { $number }/10万
console-points = { $number } 个百分点
console-at-least = ≥ { $amount }
console-at-most = ≤ { $amount }
console-about = 约 { $amount }
console-domain-health = 妇女与健康
console-domain-education = 妇女与教育
console-domain-economy = 妇女与经济
console-domain-decision-making = 妇女参与决策和管理
console-domain-social-security = 妇女与社会保障
console-domain-family = 妇女与家庭建设
console-domain-environment = 妇女与环境
console-domain-law = 妇女与法律
console-figure-of = { $year } 年
console-no-target = 规划没有给出数值
console-reached = 达到
console-of = 总数（不含未知）
console-partial = 台账只覆盖一部分人群，其余由部门补充。
console-behind = 数字背后的记录
console-part = 部分
console-part-reached = 达到 { $count }
console-part-rest = 未达到 { $count }
console-part-unknown = 未知 { $count }
console-behind-reached = 计入分子，合计 { $count }。
console-behind-rest = 只计入分母，合计 { $count }。
console-behind-unknown = 因内容缺少而未知，合计 { $count }。
console-behind-empty = 这一部分没有记录。
console-records = 共 { $count } 条记录
console-record = 记录
console-weight = 计为
console-unit = 单位
console-by = 按{ $status }
console-by-year = 分年度
console-chart = 各年数值的折线，横线为目标；数值见下表。
console-plan = 规划原文
console-responsible = 责任部门：{ $departments }。
console-inferred = 规划没有逐项指定部门，此为我们的理解。
console-rule = 怎样计算
console-counted-of = 计数对象：{ $subject }。
console-period-from = 统计期自 { $date }
console-period-to = 至 { $date }，以最后一天的状态为准。
console-denominator = 分母：计入谁
console-known = 已知：谁的情况清楚
console-numerator = 分子：谁达到
console-names = 式中的名称
console-name = 名称
console-meaning = 含义
console-expression = 表达式
console-settings = 有效的标准值
console-in-force = 有效值
console-standard = 依据
console-since = 自 { $date }

## 控制台：台账
console-no-registers = 方案中还没有台账。
console-choose-unit = 请选择嘎查或社区：
console-no-units = 方案中没有下属的嘎查或社区。
console-filter = 查找
console-filter-hint = 按表中文字查找；证件号码和电话须填写完整号码。
console-find = 查找
console-show-all = 显示全部
console-register-empty = 还没有数据：该单位没有符合本台账的记录。
console-nothing-found = 没有找到。请检查填写的内容，或显示全部。
console-rows = 共 { $count } 条
console-unnamed = （未填写）
console-open = 待裁定
console-too-large = 内容过多，未能计算
console-overdue = 已到期
console-turn = 翻页
console-previous = 上一页
console-next = 下一页

## 控制台：值
console-yes = 是
console-no = 否
console-another-record = （另一条记录）
console-withdrawn = 撤回本条

## 控制台：记录
console-parked = 该记录有一处修改未能并入，显示的是此前最后的内容。请告知管理员。
console-problems = 需补充或核对
console-computed = 由记录得出
console-computed-hint = 按 { $date } 计算，不需填写。
console-linked = 同一人的其他记录
console-parted = 已确认不是同一人的记录
console-link = 人员关联
console-link-state = 与另一条记录是否同一人
console-link-despite = 虽不一致仍确认为同一人
console-link-same = 确认为同一人
console-link-not-same = 确认不是同一人
console-link-number = 证件号码相同
console-link-through = 经其他记录关联
console-people = 登记在本户的人员
console-history = 历史
console-history-caption = 每个项目先后写入的值，时间按填写设备的时钟
console-item = 项目
console-written-value = 写入的值
console-who = 填写人
console-device = 设备
console-when = 时间
console-emptied = （清空）
console-shown-now = （现显示）

## 控制台：更新情况和待裁定
console-freshness-title = 各嘎查的更新情况
console-freshness-caption = 手机最近一次与服务器联系的时间、最近收到数据的时间
console-freshness-summary = 共 { $units } 个单位，其中 { $late } 个没有手机，或超过 { $days } 天没有联系。
console-phones = 手机
console-seen = 最近联系
console-moved = 最近收到数据
console-record-count = 记录数
console-never = 从未联系
console-no-phone = 没有手机
console-late-days = 已 { $days } 天没有联系
console-conflicts-title = 待裁定的不同填写
console-conflicts-hint = 两人分别填写了不同的值，或同一人的几条记录姓名、出生日期不同。两个值都保留着，请联系嘎查人员在手机上裁定。
console-conflicts-empty = 没有待裁定的内容。
console-conflicts-hidden = 不同之处在不于此处显示的类别中。
console-below = 下属单位

## 控制台：携带包
console-bundles = 携带包
console-bundles-title = 交入携带包
console-bundle-what = 没有信号的地方，手机可以导出携带包，由过路的人带来。在这里交入，其中的内容就进入台账。
console-bundle-file = 携带包文件
console-bundle-hand-in = 交入
console-bundle-hint = 最大 16 MB，同一文件可以交入任意多次。文件由手机加封：带来的人读不到内容，本页也不显示内容。
console-bundle-no-file = 没有选择文件。请选择携带包文件，再交入一次。
console-bundle-taken = 携带包已接收
console-bundle-new = 有 { $count } 个批次是新的，已进入台账。
console-bundle-known = 没有新的内容：都已经收到过。
console-bundle-asks = 没有带来内容，只询问这里有什么新内容。
console-bundle-waiting = 有 { $count } 个批次要等其他还没有到的批次。那些由别的携带包或手机同步到达后，即进入台账。
console-bundle-others = 有 { $count } 部分只给手机，请让文件继续带下去。
console-bundle-not-held = 没有接收的
console-bundle-reply = 保存要带回去的回包
console-bundle-reply-hint = 回包告诉手机哪些已经收到，并带给它所缺的内容。收到回包之前，手机保留全部内容，会再次发送。

## 控制台：打不开的页面
console-trouble-not-found-title = 没有这一页
console-trouble-not-found-advice = 地址中的单位、指标、台账、年份或页码不存在。请从上方的主要页面重新进入。
console-trouble-not-counted-title = 数字正在计算
console-trouble-not-counted-advice = 正在按方案第一次计算数字，没有丢失任何内容。请稍后刷新本页。
console-trouble-stale-title = 记录的链接已失效
console-trouble-stale-advice = 记录的链接只在服务器本次运行期间有效。请从台账重新打开该记录。
console-trouble-method-title = 不能这样请求
console-trouble-method-advice = 控制台只能查看、查找和交入携带包，不能修改其他内容。请从上方的主要页面重新进入。
console-trouble-foreign-title = 请求的不是本机的控制台
console-trouble-foreign-advice = 请使用服务器启动时显示的控制台地址（127.0.0.1）。
console-trouble-form-too-large-title = 查找内容过长
console-trouble-form-too-large-advice = 请只填写姓名、编号等较短的内容，再查找一次。
console-trouble-file-too-large-title = 文件过大
console-trouble-file-too-large-advice = 携带包最大 16 MB，没有接收任何内容。请让对方用 --max-bytes 分成几份。
console-trouble-form-title = 表单已失效
console-trouble-form-advice = 表单只在服务器本次运行期间有效，没有接收任何内容。请重新打开页面，选择文件后再交入。
console-trouble-no-reply-title = 回包已不再保留
console-trouble-no-reply-advice = 请把同一个携带包再交入一次：会重新生成回包，内容不会重复接收。
console-trouble-busy-title = 正在查看的人过多
console-trouble-busy-advice = 没有丢失任何内容。请稍后刷新本页。
console-trouble-plan-title = 方案中有本程序不认识的规则
console-trouble-plan-advice = 方案比本程序新。请更新服务器程序后再打开本页。
console-trouble-failed-title = 服务器出错
console-trouble-failed-advice = 没有丢失任何内容。请刷新本页；如仍如此，请把出错时间告知管理员，原因在服务器日志中。

## 办公室应当知道的事
console-events-title = 服务器与手机上发生的事
console-events-caption = 最近 { $count } 条，新的在前
console-events-none = 没有需要注意的事。
console-event-what = 事件
console-event-when = 时间
console-event-device = 手机
console-event-space = 地点
event-restored = 服务器已从备份恢复。手机会补回缺少的内容；在重放日志或执行 recovery confirm 之前，不向任何人发送他人的数据。
event-at-risk = 在确认恢复之前，没有持有这里数据的手机回来：备份之后、丢失之前在这里写下的内容可能缺失。请询问该单位的干部。
event-recovery-confirmed = 管理员已确认名册，恢复向所有人提供服务。
event-device-returned = 一部手机回来了，这里没有它的登记。在执行 recovery confirm 之前，它可以上传，但得不到任何数据。
event-fork-seen = 一部手机的日志有两个分支：它被还原到旧的副本，或在不巧的时刻中断。没有丢失任何内容；下一次同步会合并。
event-fork-healed = 手机已合并两个分支。
event-device-cloned = 两部手机使用同一套密钥写入。已要求两者更换密钥；没有丢失任何内容。请查明是谁复制了手机。
event-keys-renewed = 一部手机已更换密钥，从现在起是另一台设备。
