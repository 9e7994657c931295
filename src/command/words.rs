//! The words of a command that is given as one text.

/// Splits a command into words at white space, as a shell does: what stands between quotes is one word, and a backslash
/// takes the next character as it is. Nothing else has a meaning: no variables, no pipes.
///
/// # Errors
///
/// A sentence about what is wrong with it.
pub fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some(end) if end == c => break,
                        Some('\\') if c == '"' => match chars.next() {
                            Some(escaped @ ('"' | '\\' | '$' | '`')) => word.push(escaped),
                            Some(other) => word.extend(['\\', other]),
                            None => return Err(unclosed(c)),
                        },
                        Some(inside) => word.push(inside),
                        None => return Err(unclosed(c)),
                    }
                }
            }
            '\\' => {
                let escaped = chars.next().ok_or("it ends with a backslash")?;
                word.get_or_insert_default().push(escaped);
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    if words.is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(words)
}

fn unclosed(quote: char) -> String {
    format!("the quote {quote} is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        for (text, expected) in [
            (
                "redis-server --port {port}",
                &["redis-server", "--port", "{port}"][..],
            ),
            (r#"a --save "" ''"#, &["a", "--save", "", ""]),
            (r#"a 'b  "c"' "d 'e'"f"#, &["a", "b  \"c\"", "d 'e'f"]),
            (r#"a\ b "\"\x" '\' \'"#, &["a b", "\"\\x", "\\", "'"]),
            ("  a\n\tb  ", &["a", "b"]),
            ("a $B | c", &["a", "$B", "|", "c"]),
        ] {
            assert_eq!(split(text).unwrap(), expected, "{text}");
        }
        for text in ["", "  ", "'a", "a \"b", "a\\"] {
            split(text).unwrap_err();
        }
    }
}
