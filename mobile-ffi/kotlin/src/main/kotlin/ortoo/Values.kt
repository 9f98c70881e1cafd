package ortoo

/**
 * The value as text, as it is typed in: `true` or `false`, digits, `YYYY-MM-DD`, a code, codes joined by
 * commas, nothing for an empty one.
 */
public fun Value.text(): String =
    when (this) {
        is EmptyValue -> ""
        is FlagValue -> value.toString()
        is NumberValue -> value.toString()
        is TextValue -> value
        is CodesValue -> values.joinToString(",")
    }

/** The text of `section.field`, empty where nothing stands. */
public fun Record.text(key: String): String = fields[key]?.text().orEmpty()

/** The text of a field of the item's section, empty where nothing stands. */
public fun Item.text(key: String): String = fields[key]?.text().orEmpty()

/** The text of what was written under `section.field`, empty where nothing was. */
public fun KeptEdit.text(key: String): String = values[key]?.text().orEmpty()

/** The items of a repeating section, none where there are none. */
public fun Record.itemsOf(section: String): List<Item> = items[section].orEmpty()

/** The title in a language. */
public fun Title.text(language: Language): String =
    when (language) {
        Language.CHINESE -> zh
        Language.ENGLISH -> en
    }
