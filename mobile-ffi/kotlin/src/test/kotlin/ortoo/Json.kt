package ortoo

/** A JSON value as the programs print it: just enough to read their answers. */
internal class Json(private val value: Any?) {
    val text: String get() = value as String
    val number: Double get() = value as Double
    val whole: Long get() = number.toLong()
    val isNull: Boolean get() = value == null
    val list: List<Json> get() = (value as List<*>).map(::Json)
    val fields: Map<String, Json> get() = (value as Map<*, *>).entries.associate { (it.key as String) to Json(it.value) }

    operator fun get(key: String): Json = fields[key] ?: throw NoSuchElementException("$key in $value")

    /** The number, or null where null stands. */
    fun numberOrNull(key: String): Double? = get(key).takeUnless { it.isNull }?.number

    override fun toString(): String = value.toString()

    companion object {
        fun parse(text: String): Json = Json(Reader(text).whole())
    }

    private class Reader(private val text: String) {
        private var at = 0

        fun whole(): Any? = value().also { check(next() == null) { "more at $at in $text" } }

        private fun value(): Any? =
            when (val first = next()) {
                '{' -> listed('}') { string() to value() }.toMap()
                '[' -> listed(']') { value() }
                '"' -> string()
                else -> {
                    val word = text.substring(at).takeWhile { it.isLetterOrDigit() || it in "+-." }
                    check(word.isNotEmpty()) { "$first at $at in $text" }
                    at += word.length
                    when (word) {
                        "true" -> true
                        "false" -> false
                        "null" -> null
                        else -> word.toDouble()
                    }
                }
            }

        private fun <T> listed(end: Char, one: () -> T): List<T> {
            val all = mutableListOf<T>()
            at++
            while (next() != end) {
                all += one()
                if (next() == ',') at++
            }
            at++
            return all
        }

        private fun string(): String {
            check(next() == '"') { "no string at $at in $text" }
            at++
            val read = StringBuilder()
            while (text[at] != '"') {
                if (text[at] == '\\') read.append(escaped()) else read.append(text[at])
                at++
            }
            at++
            // Between a key and its value.
            if (next() == ':') at++
            return read.toString()
        }

        private fun escaped(): Char =
            when (val escape = text[++at]) {
                'n' -> '\n'
                't' -> '\t'
                'r' -> '\r'
                'u' -> text.substring(at + 1, at + 5).toInt(16).toChar().also { at += 4 }
                else -> escape
            }

        /** The next character that is no space, where it stands. */
        private fun next(): Char? {
            while (at < text.length && text[at].isWhitespace()) at++
            return text.getOrNull(at)
        }
    }
}
