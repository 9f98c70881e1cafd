package ortoo

import java.io.File
import kotlinx.coroutines.runBlocking

/**
 * A phone in a process of its own, told what to do line by line: words apart by tabs, one answer a line.
 * With `add-on` it adds women until it is killed, and prints each id when the call has returned.
 */
fun main(args: Array<String>): Unit = runBlocking {
    Phone.open(File(args[0]), IN_KEY_STORE, Language.ENGLISH).use { phone ->
        println("open")
        generateSequence(::readLine).forEach { line -> phone.answer(line.split('\t')) }
    }
}

private suspend fun Phone.answer(words: List<String>) =
    when (words[0]) {
        "add" -> println(add(Subject.PERSON, woman(words[1])))
        "edit" -> println(edit(words[1], mapOf(words[2] to words[3])))
        "text" -> println(show(words[1]).text(words[2]))
        "conflicts" -> println(conflicts().size)
        "exchange" -> println(exchange().roundTrips)
        "add-on" -> while (true) println(add(Subject.PERSON, woman("其其格")))
        else -> error("no such word: ${words[0]}")
    }
